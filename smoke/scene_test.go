package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

// testScene is the world of the story, staged once for a test.
func testScene(t *testing.T) *scene {
	t.Helper()
	top, err := repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage(t.Context(), top, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// storeByHand is the renewal without its second half: the database is right, but the cache was
// forgotten.
func storeByHand(t *testing.T, s *scene) *envelope.KeyPair {
	t.Helper()
	pair := peertest.NewKeyPair(s.own.Wwwroot(), 1024)
	for query, values := range map[string][]any{
		"UPDATE mdl_config_plugins SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'": {pair.Certificate.PEM + pairSeparator + pair.PEM},
		"UPDATE mdl_mnet_host SET public_key = ?, public_key_expires = ? WHERE id = ?":       {pair.Certificate.PEM, pair.Certificate.NotAfter.Unix(), ownID},
	} {
		if _, err := s.db.ExecContext(t.Context(), query, values...); err != nil {
			t.Fatal(err)
		}
	}
	return pair
}

func publicKey(ctx context.Context, t *testing.T, s *scene) *envelope.Certificate {
	t.Helper()
	shown, err := fetchCertificate(ctx, http.MethodGet, s.own.Wwwroot()+"/mnet/publickey.php", "")
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

// If the web server read the database each time, a renewal that forgets the cache would pass.
func TestOwnSiteUsesTheCachedPairUntilItsEntryIsDropped(t *testing.T) {
	s := testScene(t)
	if _, err := os.Stat(s.web.entry); err != nil {
		t.Fatalf("the rehearsal has left the cache cold: %v", err)
	}
	pair := storeByHand(t, s)
	if err := sameCertificate(publicKey(t.Context(), t, s), s.old.Certificate); err != nil {
		t.Errorf("with a stale entry: %v", err)
	}
	if err := s.callsUs(t.Context(), s.stock); err != nil {
		t.Errorf("with a stale entry the old links last: %v", err)
	}
	if settings, err := pluginSettings(t.Context(), s.db.DB); err != nil || s.web.fresh(settings) == nil {
		t.Errorf("the check takes the stale entry for a fresh one (%v)", err)
	}

	if err := os.Remove(s.web.entry); err != nil {
		t.Fatal(err)
	}
	if err := sameCertificate(publicKey(t.Context(), t, s), pair.Certificate); err != nil {
		t.Errorf("with the entry dropped: %v", err)
	}
	if _, err := os.Stat(s.web.entry); err != nil {
		t.Errorf("it was not filled again: %v", err)
	}
	if err := s.callsUs(t.Context(), s.stock); err == nil {
		t.Error("a stock peer can call a site whose new pair has no history, and that it heard nothing of")
	}
}

// failures runs the checks and gives the claims that are false.
func failures(check func(c *checks)) (claims []string) {
	var out strings.Builder
	check(&checks{out: &out})
	for line := range strings.Lines(out.String()) {
		if claim, failed := strings.CutPrefix(line, "FAILED  "); failed {
			claims = append(claims, strings.TrimSpace(claim))
		}
	}
	return claims
}

func TestChecksFailWhere(t *testing.T) {
	s := testScene(t)
	expect := func(t *testing.T, got []string, claims ...string) {
		t.Helper()
		for _, claim := range claims {
			if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, claim) }) {
				t.Errorf("%q passes; what fails: %q", claim, got)
			}
		}
	}
	t.Run("nothing was renewed", func(t *testing.T) {
		expect(t, failures(func(c *checks) { c.renewed(t.Context(), s, result{code: 0}, s.old) }), "exit code 3", "database: a new pair")
	})
	t.Run("the database was renewed and nothing else", func(t *testing.T) {
		storeByHand(t, s)
		expect(t, failures(func(c *checks) { c.renewed(t.Context(), s, result{code: 3}, s.old) }), "database: 1 in the history",
			"cache: the entry", "own site: publickey.php", "Patched: holds", "Patched: its row", "Stock: holds")
	})
	t.Run("a secret is printed", func(t *testing.T) {
		for name, printed := range map[string]string{
			"key as stored":          s.old.PEM,
			"key with escaped lines": strings.ReplaceAll(s.old.PEM, "\n", `\n`),
			"key as a Go value":      fmt.Sprintf("%v", s.old.Private),
			"password":               "dsn moodle:" + s.db.Password + "@tcp",
		} {
			t.Run(name, func(t *testing.T) {
				expect(t, failures(func(c *checks) {
					c.secrets(s.db.Password, []*envelope.KeyPair{s.old}, result{}, result{stderr: []byte(printed)})
				}), "no private key and no password")
			})
		}
	})
	t.Run("the report is not one document", func(t *testing.T) {
		expect(t, failures(func(c *checks) { c.json(s, result{stdout: []byte("log\n{}")}, s.old) }), "--json: one document")
	})
}
