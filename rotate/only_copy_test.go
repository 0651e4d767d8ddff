package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
)

// A hook also empties caches that were not read from here: if a web server was seen to use another
// key, and no page shows which, its cache may have the only copy.
func TestAHookPurgesNothingIfNoPageShowsTheKeyThatAWebServerUses(t *testing.T) {
	for _, page := range []*Failure{nil, {Reason: ReasonTimeout, Pending: true}} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
			"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "dry run": (*Renewal).Plan,
		} {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			w.answer = func(node string, _ int) *Failure {
				if node == "web2" {
					return &Failure{Reason: ReasonFault7025}
				}
				return nil
			}
			o := Options{Nodes: []string{"web1", "web2"}}
			r := w.renewal(o)
			r.Cache, r.Network = &countedHook{world: w}, pageFailing{w, "web2", page}
			report := run(r, t.Context())
			if !errors.Is(report.Err, ErrOnlyCopy) || report.Exit != ExitLocalSite || len(w.happened("drop", "store", "push")) > 0 {
				t.Errorf("%s, the page: %v: exit %d: %v; %v", command, page, report.Exit, report.Err, w.events)
			}
			if silent := strings.Contains(HintOf(report.Err), "remove it from --node and from a --cache-hook instead (in the command that follows, or in the options file)"); silent != (page != nil) || silent && !strings.Contains(report.Err.Error(), "web2") {
				t.Errorf("%s, the page: %v: %v; hint: %s", command, page, report.Err, HintOf(report.Err))
			}
			o.AbandonPending = true
			r = w.renewal(o)
			r.Cache, r.Network = &countedHook{world: w}, pageFailing{w, "web2", page}
			var log strings.Builder
			r.Log = zerolog.New(&log)
			if report := run(r, t.Context()); errors.Is(report.Err, ErrOnlyCopy) || !strings.Contains(log.String(), "given up") {
				t.Errorf("%s, the key is given up: %v; %s", command, report.Err, &log)
			}
		}
	}
}

// pageFailing is a web server whose publickey.php fails, unless the failure is nil.
type pageFailing struct {
	*world
	node    string
	failure *Failure
}

func (p pageFailing) PublicKey(ctx context.Context, at Peer) (*envelope.Certificate, *Failure) {
	if at.Node == p.node && p.failure != nil {
		return nil, p.failure
	}
	return p.world.PublicKey(ctx, at)
}

// A push that puts the old key back purges the cache too. If the history did not take what only the
// cache has, the cache keeps it.
func TestAPushThatPutsTheOldKeyBackPurgesNoKeyThatItCouldNotKeep(t *testing.T) {
	w := newWorld(t)
	old, only := w.tenant.Pair, *w.otherPair()
	w.renewed(t)
	w.cached, w.alsoCached, w.events = &old, []Retired{{Stored: only}}, nil
	w.on = func(event string) {
		if w.storeErr = nil; event == "store-history" {
			w.storeErr = errDown
		}
	}
	report := w.renewal(Options{}).Distribute(t.Context())
	if report.Exit != ExitLocalSite || !errors.Is(report.Err, errDown) || len(w.happened("drop", "store")) > 0 {
		t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
	}
}

// Without a question to the web server, the database may well have its key: nobody is told to give it
// up.
func TestTheHintOnAnOnlyCopyAfterNoQuestionIsToAsk(t *testing.T) {
	for _, unread := range []error{errDown, ErrCacheInMemory} {
		w := newWorld(t)
		w.cachedErr = unread
		report := w.renewal(Options{SelfCheck: SelfCheckOff}).Run(t.Context())
		hint := HintOf(report.Err)
		if !errors.Is(report.Err, ErrOnlyCopy) || strings.Contains(hint, "--abandon-pending") || !strings.Contains(hint, "leave out --self-check=off") {
			t.Errorf("%v: %v; %s", unread, report.Err, hint)
		}
		if report = w.renewal(Options{}).Run(t.Context()); report.Outcome != Renewed {
			t.Errorf("%v: asked: %v", unread, report.Err)
		}
	}
}

// retiredAtPush notes which keys of this site open the answers of peers.
type retiredAtPush struct {
	*world
	keys []*envelope.KeyPair
}

func (n *retiredAtPush) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if p.Wwwroot == peerA {
		n.keys = own.Retired()
	}
	return n.world.Prove(ctx, own, p, answered, keyswap)
}

// A peer may answer with the key that only the cache had, and that the push has just saved.
func TestAPushOpensAnswersWithTheKeysThatItHasSaved(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	w.cached = w.otherPair()
	r := w.renewal(Options{})
	n := &retiredAtPush{world: w}
	r.Network = n
	report := r.Distribute(t.Context())
	if report.Outcome != Kept || len(w.tenant.History) == 0 || len(n.keys) != len(w.tenant.History) {
		t.Errorf("%s, %v: %d keys of %d", report.Outcome, report.Err, len(n.keys), len(w.tenant.History))
	}
}
