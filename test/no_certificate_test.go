package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// A Moodle as released without a certificate of this site can seal its answer to nobody, and takes
// none that is pushed to it. Its administrator must fetch the key; a peer that is patched takes it.
func TestAPeerWithoutACertificateOfThisSiteIsNamed(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	stock, forced := testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, stock)
	own.Peer(t, forced)
	own.Warm(t)
	for _, held := range []string{"", "garbage"} {
		for _, peer := range []*testbed.Site{stock, forced} {
			peer.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", held, own.Wwwroot)
		}
		for _, c := range []struct {
			command, next string
			refused       []string
		}{
			{"verify", rotate.NextIfNoneStored, []string{stock.Wwwroot, forced.Wwwroot}},
			{"push", rotate.NextIfNoneFetched, []string{stock.Wwwroot}},
		} {
			peers := operate(t, own.ConfigFile, c.command, []string{"--json"}).document(t).Tenants[0].Peers
			var refused []string
			for _, p := range peers {
				if p.Outcome.Proven() {
					continue
				}
				refused = append(refused, p.Wwwroot)
				if p.Outcome != rotate.Refused || p.Reason != rotate.ReasonCannotOpen || !strings.Contains(p.Detail, "no usable certificate of this site") || !strings.HasPrefix(p.Next, c.next) {
					t.Errorf("%s, held %q: %+v", c.command, held, p)
				}
			}
			slices.Sort(refused)
			slices.Sort(c.refused)
			if !slices.Equal(refused, c.refused) {
				t.Errorf("%s, held %q: refused %q", c.command, held, refused)
			}
		}
		if stock.Held(t, own.Wwwroot) != held || forced.Held(t, own.Wwwroot) != own.Certificate(t) {
			t.Errorf("held %q: the rows of the peers are not what the push leaves", held)
		}
	}
}

// Every command, and the page, says that a push stores the certificate.
func TestAPeerOfWhichThisSiteHasNoCertificateIsCuredByAPush(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Stock})
	own.Peer(t, peer)
	own.Warm(t)
	own.DB.Exec(t, "UPDATE {mnet_host} SET public_key = '' WHERE wwwroot = ?", peer.Wwwroot)
	const next = "a push asks for the certificate that the peer uses, and stores it. Run: "
	for _, args := range [][]string{{"verify"}, {"verify", "--json"}, {"status", "--live"}, {"check"}, {"doctor"}, {"doctor", "--json"}} {
		page := filepath.Join(t.TempDir(), "page.html")
		if args[0] != "check" {
			args = append(args, "--report="+page)
		}
		r := operate(t, own.ConfigFile, args[0], args[1:], own, peer)
		if text, err := os.ReadFile(page); args[0] != "check" && (err != nil || !strings.Contains(string(text), next)) {
			t.Errorf("%q: the page lacks the next step: %v", args, err)
		}
		if !strings.Contains(r.stdout, next) || strings.Contains(r.stdout, "compare the certificate") {
			t.Errorf("%q:\n%s", args, r.stdout)
		}
	}
	operate(t, own.ConfigFile, "push", nil).expect(t, 0)
	if own.Held(t, peer.Wwwroot) != peer.Certificate(t) {
		t.Error("the push did not store the certificate")
	}
	linked(t, own, peer)
}
