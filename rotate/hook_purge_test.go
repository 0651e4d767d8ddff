package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What is said of a hook, and of web servers that it may or may not purge.

// A web server that answers is not started, and without --node none is taken out of it.
func TestTheHintOnAForbiddenPageFitsTheOptions(t *testing.T) {
	w := newWorld(t)
	w.renewed(t)
	w.noPage = map[string]*Failure{"": {Reason: ReasonHTTP403}}
	w.answer = func(string, int) *Failure { return &Failure{Reason: ReasonFault7025} }
	r := w.renewal(Options{Answers: 5})
	r.Cache = &countedHook{world: w}
	hint := HintOf(r.Distribute(t.Context()).Err)
	if strings.Contains(hint, "tart it") || strings.Contains(hint, "--node") || !strings.Contains(hint, "let it show its page") && !strings.Contains(hint, "Let it show its page") {
		t.Error(hint)
	}
}

// One of several web servers behind one address went back to the key that was just retired for a moment.
func TestTheLastLookAsksAgainForAKeyThatNoPageShows(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	told := 0
	w.at("prove "+peerA, 1, func() { told = w.asked })
	w.answer = func(_ string, n int) *Failure {
		if told > 0 && n == told+2 {
			return &Failure{Reason: ReasonFault7025}
		}
		return nil
	}
	r := w.renewal(Options{Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.Run(t.Context()); report.Exit != ExitOK || report.SelfCheck != SelfProven {
		t.Errorf("exit %d: %v; %s", report.Exit, report.Err, HintOf(report.Err))
	}
}

// mnet_off says nothing of keys, but a page does.
func TestTheLastLookNamesAnUnknownKeyOfASiteWhoseMNetIsOff(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	w.at("prove "+peerA, 1, func() {
		w.answer = func(string, int) *Failure { return &Failure{Reason: ReasonMNetOff} }
		w.pages = map[string]string{"": w.someOther()}
	})
	r := w.renewal(Options{Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.Distribute(t.Context()); report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrOnlyCopy) {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// What is seen after a hook has failed may come of that.
func TestAHookThatFailsIsNamedWhateverTheWebServerAnswersThen(t *testing.T) {
	for _, f := range []*Failure{{Reason: "http_502", Pending: true}, {Reason: ReasonMNetOff}, {Reason: ReasonClock}} {
		w := withRetired(t)
		w.dropErr = errors.New("the cache-hook failed: systemctl: ended with exit code 1")
		w.answer = func(node string, _ int) *Failure {
			switch {
			case node == "web1" && len(w.happened("drop")) == 0:
				return &Failure{Reason: ReasonFault7023}
			case node != "" && len(w.happened("drop")) > 0:
				return f
			}
			return nil
		}
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache = &countedHook{world: w}
		if report := r.Distribute(t.Context()); report.Exit != ExitNotRenewed || len(w.happened("store")) > 0 || !strings.HasPrefix(HintOf(report.Err), hintFailedHook) || !strings.Contains(report.Err.Error(), "systemctl") {
			t.Errorf("exit %d: %v; %s; %v", report.Exit, report.Err, HintOf(report.Err), w.events)
		}
	}
}

// The time may end while a hook works, or while a web server hangs.
func TestAHookThatTakesTooLongIsSaidTo(t *testing.T) {
	for _, slow := range []bool{true, false} {
		w := newWorld(t)
		w.sticky = true
		r := w.renewal(Options{Answers: 1})
		hook := &countedHook{world: w}
		ctx, end := context.WithCancelCause(t.Context())
		r.Cache, r.Now = hook, func() time.Time {
			if slow {
				hook.now += 3 * time.Minute
			}
			return clock.Add(hook.now)
		}
		w.answer = always(ReasonTimeout)
		r.Sleep = func(context.Context, time.Duration) error {
			if len(hook.runs) == 0 {
				return nil
			}
			end(errSafePoint)
			return context.DeadlineExceeded
		}
		_, err := r.waitUntilActive(ctx, &w.tenant, *w.tenant.identity(), SelfSkipped)
		if says := strings.Contains(HintOf(err), "end sooner"); !errors.Is(err, errSafePoint) || !strings.Contains(err.Error(), "timeout") || says != slow {
			t.Errorf("slow %v: %v; %s", slow, err, HintOf(err))
		}
	}
}

// With APCu no cache can be read, but a web server that is away comes back.
func TestAWebServerThatIsAwayIsNamedBeforeACacheThatCannotBeRead(t *testing.T) {
	w := cured(t)
	w.cachedErr = ErrCacheInMemory
	w.noPage = map[string]*Failure{"web2": {Reason: ReasonConnect, Pending: true}}
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache = &countedHook{world: w}
	if hint := HintOf(r.Distribute(t.Context()).Err); !strings.Contains(hint, "Start the web server web2") || strings.Contains(hint, "reload") {
		t.Error(hint)
	}
}

// The hook of a run that was killed goes on, and ends its purge while the next run looks.
func TestAPurgeByAnotherProgramMeanwhileIsSeen(t *testing.T) {
	w := withRetired(t)
	w.addPeer(peerA, fakePeer{})
	w.pages = nil
	w.answer = func(node string, n int) *Failure {
		if node == "web1" && n <= 5 {
			return &Failure{Reason: ReasonFault7025}
		}
		return nil
	}
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.PlanDistribute(t.Context()); report.Exit != ExitOK {
		t.Errorf("dry run: exit %d: %v", report.Exit, report.Err)
	}
	w.asked = 0
	r = w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.Distribute(t.Context()); report.Exit != ExitOK || len(w.happened("drop")) > 0 {
		t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
	}
}
