package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// Moodle goes by the local host row, which may end before the certificate: the page must not show days
// that are left where check says that the key has expired.
func TestThePageAndTheCheckAgreeThatAKeyHasExpired(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	own.Expire(t)
	page := filepath.Join(t.TempDir(), "page.html")
	operate(t, own.ConfigFile, "verify", []string{"--report=" + page}, own).expect(t, 1, "the key has expired")
	operate(t, own.ConfigFile, "check", nil, own).expect(t, 2, "days_left=-")
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(html); !strings.Contains(text, "✗</span> expired ") || strings.Contains(text, " left</td>") || strings.Contains(text, "days left") {
		t.Errorf("the page does not show that it has expired: %s", text[strings.Index(text, "When certificates expire"):])
	}
}
