package rotate

import (
	"context"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

// Behind the name there may be a web server that no --node names. A hook empties its cache, too.

// everyOtherPage is a network in which every second page by the name is a failure.
type everyOtherPage struct {
	*world
	failure *Failure
	until   int // how many pages may fail, 0 for all
	pages   int
}

func (n *everyOtherPage) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	if p.Wwwroot == ownURL && p.Node == "" {
		n.mu.Lock()
		n.pages++
		fails := n.pages%2 == 0 && (n.until == 0 || n.pages <= n.until)
		n.mu.Unlock()
		if fails {
			return nil, n.failure
		}
	}
	return n.world.PublicKey(ctx, p)
}

// withRetired is a world in which web1 shows a key of the history.
func withRetired(t *testing.T) *world {
	w := newWorld(t)
	retired := testPair(t, ownURL, clock.AddDate(0, 0, -25))
	w.tenant.History = []Retired{{Stored: storedPair(retired), Expires: clock.Unix()}}
	w.pages = map[string]string{"web1": retired.Certificate.PEM}
	return w
}

func TestAWebServerBehindTheNameThatShowsNoKeyIsNotPurged(t *testing.T) {
	for _, f := range []*Failure{{Reason: ReasonHTTP503, Pending: true}, {Reason: ReasonMNetOff}, {Reason: ReasonHTTP403}, {Reason: ReasonStrayOutput}} {
		w := withRetired(t)
		calls := 0
		w.answer = func(node string, _ int) *Failure {
			switch {
			case node == "web1" && len(w.happened("drop")) == 0:
				return &Failure{Reason: ReasonFault7023}
			case node == "":
				if calls++; calls%2 == 0 {
					return f
				}
			}
			return nil
		}
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &everyOtherPage{world: w, failure: f}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 {
			t.Errorf("%s: the hook ran: exit %d: %v", f.Reason, report.Exit, report.Err)
		}
		if hint := r.notUsed(t.Context(), &Failure{Reason: ReasonSeveralCaches}).Hint(); strings.Contains(hint, "purge_caches.php") {
			t.Errorf("%s: %s", f.Reason, hint)
		}
	}
}

// A load balancer whose web server is just restarting is asked again, and the error says where a web
// server was not seen. A renewal whose calls have all met the stored key goes on.
func TestAPageByTheNameIsReadAgain(t *testing.T) {
	for _, c := range []struct {
		until int // pages that may fail
		used  bool
		runs  bool
	}{{2, false, true}, {1000, false, false}, {1000, true, true}} {
		w := withRetired(t)
		w.answer = func(node string, _ int) *Failure {
			if node == "web1" && !c.used && len(w.happened("drop")) == 0 {
				return &Failure{Reason: ReasonFault7023}
			}
			return nil
		}
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}})
		r.Cache, r.Network = &countedHook{world: w}, &everyOtherPage{world: w, failure: &Failure{Reason: ReasonHTTP503, Pending: true}, until: c.until}
		report := r.Run(t.Context())
		if runs := len(w.happened("drop")) > 0; runs != c.runs {
			t.Errorf("%+v: the hook ran: %v: exit %d: %v", c, runs, report.Exit, report.Err)
		}
		if hint := HintOf(report.Err); !c.runs && (!strings.Contains(report.Err.Error(), byName) || !strings.HasSuffix(hint, "or take it out of the load balancer and of the --cache-hook. Then run: renew_mnetkeys …")) {
			t.Errorf("%v; %s", report.Err, hint)
		}
	}
}

// All calls met web servers that use the stored key.
func TestARenewalWithAHookReadsThePagesBehindTheName(t *testing.T) {
	w := newWorld(t)
	w.pages = map[string]string{"": w.someOther()}
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.Run(t.Context()); len(w.happened("drop", "store")) > 0 {
		t.Errorf("the hook ran: exit %d: %v", report.Exit, report.Err)
	}
}

// At the last look the load balancer leads to one more web server.
func TestTheLastLookPurgesNoKeyThatTheDatabaseDoesNotHave(t *testing.T) {
	for name, o := range map[string]Options{"by the wwwroot": {Answers: 5}, "beside --node": {Answers: 5, Nodes: []string{"web1"}}} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		w.pages = map[string]string{}
		w.on = func(e string) {
			if strings.HasPrefix(e, "push") {
				w.pages[""] = w.someOther()
			}
		}
		asked := 0
		w.answer = func(node string, _ int) *Failure {
			if node == "" && len(w.happened("push")) > 0 {
				if asked++; asked == 1 {
					return &Failure{Reason: ReasonFault7023}
				}
			}
			return nil
		}
		r := w.renewal(o)
		r.Cache = &countedHook{world: w}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 || report.Exit != ExitLocalSite {
			t.Errorf("%s: exit %d: %v; %v", name, report.Exit, report.Err, w.happened("drop"))
		}
	}
}

// Without a proof a hook would purge the cache of a web server that was not asked.
func TestNothingIsOfferedWithoutAProofIfAHookPurges(t *testing.T) {
	for _, hooked := range []bool{true, false} {
		w := newWorld(t)
		w.answer = func(string, int) *Failure { return &Failure{Reason: ReasonHTTP503, Pending: true} }
		r := w.renewal(Options{Nodes: []string{"web1"}})
		if hooked {
			r.Cache = &countedHook{world: w}
		}
		if hint := HintOf(r.Run(t.Context()).Err); strings.Contains(hint, "--self-check=off") == hooked {
			t.Errorf("hooked: %v: %s", hooked, hint)
		}
	}
}
