package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// foreignNode is the network of a world in which the web server of --node is that of another site:
// that site cannot open the calls, and shows its own certificate.
type foreignNode struct {
	*world
	other string
}

func (n foreignNode) PublicKey(_ context.Context, p Peer) (*envelope.Certificate, *Failure) {
	if p.Wwwroot == n.other {
		return testPair(n.t, n.other, clock).Certificate, nil
	}
	return nil, &Failure{Reason: ReasonBadCertificate, Other: n.other, Shown: testPair(n.t, n.other, clock).Certificate}
}

func TestANodeOfAnotherSiteIsNamedAndNothingIsGivenUpForIt(t *testing.T) {
	for name, do := range map[string]func(*Renewal, context.Context) TenantReport{
		"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "verify": (*Renewal).Verify, "plan": (*Renewal).Plan,
	} {
		for _, reason := range []Reason{ReasonFault7023, ReasonBadSignature, ReasonFault7025} {
			t.Run(name+" "+string(reason), func(t *testing.T) {
				w := newWorld(t)
				w.addPeer("https://a.example", fakePeer{})
				w.answer = always(reason)
				before := w.tenant.Pair
				r := w.renewal(Options{Nodes: []string{"192.0.2.7"}})
				r.Network = foreignNode{w, "https://other.example"}
				report := do(r, t.Context())
				var other *OtherNameError
				if report.Exit != ExitUsage || !errors.As(report.Err, &other) || other.Node != "192.0.2.7" || other.Answers != "https://other.example" {
					t.Errorf("exit %d: %v", report.Exit, report.Err)
				}
				if hint := HintOf(report.Err); !strings.Contains(hint, "--node") || strings.Contains(hint, "abandon") {
					t.Error(hint)
				}
				if w.tenant.Pair != before || len(w.happened("drop", "store", "push")) > 0 {
					t.Error(w.events)
				}
			})
		}
	}
}

// A site that has moved shows a certificate with its old name as long as its key is the old one.
func TestANodeThatShowsAnOldNameOfTheSiteIsItsOwn(t *testing.T) {
	w := newWorld(t)
	w.tenant.History = []Retired{{Stored: storedPair(testPair(t, "https://old.example", clock.AddDate(0, 0, -9)))}}
	w.answer = always(ReasonFault7025)
	r := w.renewal(Options{Nodes: []string{"192.0.2.7"}})
	r.Network = foreignNode{w, "https://old.example"}
	if report := r.Verify(t.Context()); report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrNotFollowed) {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// One of several web servers has the config.php of another site, and still opens the calls by its cache.
// To write the other name into this site's settings would give it the key of the other.
func TestOneWebServerOfAnotherSiteIsNoReasonToRenameThisOne(t *testing.T) {
	foreign := &Failure{Reason: ReasonBadSignature, Other: "https://other.example"}
	for name, c := range map[string]struct {
		nodes []string
		says  string
	}{
		"named":   {[]string{"web1", "web2"}, "the web server of --node=web2 answers as https://other.example"},
		"unnamed": {nil, "one of the web servers behind " + ownURL},
	} {
		w := newWorld(t)
		w.answer = func(node string, n int) *Failure {
			if node == "web2" || c.nodes == nil && n%2 == 0 {
				return foreign
			}
			return nil
		}
		report := w.renewal(Options{Nodes: c.nodes, Answers: 5}).Distribute(t.Context())
		if hint := HintOf(report.Err); report.Exit != ExitUsage || !strings.Contains(report.Err.Error(), c.says) || !strings.Contains(hint, "the error stays") {
			t.Errorf("%s: exit %d: %v; %s", name, report.Exit, report.Err, hint)
		}
	}
}
