package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

func TestTheKeysOfARollbackAreNamed(t *testing.T) {
	end := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := func(sha256 string) *rotate.KeyReport { return &rotate.KeyReport{SHA256: sha256, NotAfter: end} }
	text := KeysOfRollback([]rotate.TenantReport{
		{Wwwroot: "https://b.example", Certificate: key("b1"), NoBack: rotate.ErrOnlyUndone},
		{Wwwroot: "https://c.example", Err: errors.New("x"), Error: "no\nanswer"},
		{Wwwroot: "https://a.example", Certificate: key("a1"), Back: key("a0")},
	})
	want := "https://a.example\n  current key   sha256 a1, valid until 2026-03-01 12:00 UTC\n  previous key  sha256 a0, valid until 2026-03-01 12:00 UTC\n" +
		"https://b.example\n  current key   sha256 b1, valid until 2026-03-01 12:00 UTC\n  previous key  none: " + rotate.ErrOnlyUndone.Error() + "\n" +
		"https://c.example\n  could not be read: no answer\n"
	if text != want {
		t.Errorf("%s", text)
	}
	var many []rotate.TenantReport
	for i := range askedAbout + 2 {
		many = append(many, rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%02d.example", i)})
	}
	if text := KeysOfRollback(many); !strings.HasSuffix(text, "and 2 more tenants: rollback --dry-run names their keys\n") || strings.Contains(text, "t10") {
		t.Errorf("%s", text)
	}
}
