package rotate

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"renew_mnetkeys/envelope"
)

// twoCaches is a renewed site with two web servers, of which the second uses the retired key.
func twoCaches(t *testing.T) *world {
	w := newWorld(t)
	w.renewed(t)
	w.nodes = []string{node4, other4}
	w.answer = func(node string, _ int) *Failure {
		if node == other4 {
			return &Failure{Reason: ReasonFault7023}
		}
		return nil
	}
	w.pages = map[string]string{other4: w.tenant.History[0].Certificate}
	return w
}

// Web servers that use different keys are one state: every command says the same next step.
func TestWebServersThatUseDifferentKeysHaveOneNextStep(t *testing.T) {
	const purge, save = "purge Moodle's caches on every web server", "do not purge any cache yet"
	named := []string{node4, other4}
	for name, c := range map[string]struct {
		nodes   []string
		unknown string // the web server whose key is not in the database, "-" for none
		push    bool   // a push says so too: it does not stop before
		want    string
	}{
		"all keys are in the database":                {named, "-", true, purge},
		"one may be the only copy":                    {named, other4, false, save},
		"one that was not named may be the only copy": {named, "", true, save},
		"not every web server was named":              {nil, "-", true, save},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
			"verify": (*Renewal).Verify, "doctor": (*Renewal).Diagnose, "push": (*Renewal).Distribute,
			"live": func(r *Renewal, ctx context.Context) TenantReport { return r.Status(ctx, true) },
		} {
			if command == "push" && !c.push {
				continue
			}
			w := twoCaches(t)
			if c.unknown != "-" {
				w.pages[c.unknown] = w.someOther()
			}
			report := run(w.renewal(Options{Nodes: c.nodes}), t.Context())
			hint := HintOf(report.Err)
			for _, f := range report.Findings {
				if f.Code == "own_several_caches" {
					hint = f.Next
				}
			}
			if _, next := report.LocalSite(); command != "doctor" && next != hint {
				t.Errorf("%s, %s: %q and %q", name, command, hint, next)
			}
			if report.Exit != ExitLocalSite || !strings.HasPrefix(hint, c.want) || !strings.HasSuffix(hint, "renew_mnetkeys push") {
				t.Errorf("%s, %s: exit %d, %q", name, command, report.Exit, hint)
			}
		}
	}
}

// The links that this side does not prove have the next step of the site.
func TestALinkHasTheNextStepOfItsOwnSite(t *testing.T) {
	own := &LocalSiteError{Failure: &Failure{Reason: ReasonSeveralCaches}, Kept: true}
	link := PeerReport{Outcome: Pending, Reason: ReasonLocalSite}
	if got := (&TenantReport{SelfCheck: SelfFailed, Err: own}).NextStep(link, true); got != own.Hint() {
		t.Error(got)
	}
	if got := (&TenantReport{SelfCheck: SelfUnreachable, Err: own}).NextStep(link, true); got != ReasonLocalSite.NextStep(true) {
		t.Error(got)
	}
}

// takingTurns is an array of which one site has two web servers behind one address, one with a
// retired key.
type takingTurns struct {
	*fleet
	site  *fleetSite
	old   *envelope.Certificate
	calls *atomic.Int64
}

func (n takingTurns) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	proof := n.fleet.Prove(ctx, own, p, answered, keyswap)
	if p.Wwwroot != n.site.tenant.Wwwroot {
		return proof
	}
	if n.calls.Add(1)%2 == 0 {
		return Proof{Failure: &Failure{Reason: ReasonFault7023}, Attempts: 1}
	}
	return proof
}

func (n takingTurns) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	if p.Wwwroot == n.site.tenant.Wwwroot {
		if n.calls.Add(1)%2 == 0 {
			return n.old, nil
		}
	}
	return n.fleet.PublicKey(ctx, p)
}

// In an array a link to such a site is not proven, and its reason is that of the site: neither by one
// more answer, which may come from the web server that is in order, nor as if RC4 were missing.
func TestALinkToATenantWithSeveralCachesSaysSo(t *testing.T) {
	for name, run := range map[string]func(*Array, context.Context){
		"verify": func(a *Array, ctx context.Context) { a.Survey(ctx, SurveyVerify) },
		"push":   func(a *Array, ctx context.Context) { a.PushOnly = true; a.Run(ctx) },
	} {
		for begun := range int64(2) { // which of the two answers first
			f := newFleet(t, 2)
			site := f.sites[1]
			old := testPair(t, site.tenant.Wwwroot, clock.AddDate(0, 0, -40))
			site.tenant.History = []Retired{{Stored: storedPair(old), Expires: old.Certificate.NotAfter.Unix()}}
			calls := new(atomic.Int64)
			calls.Store(begun)
			a := f.array(ArrayOptions{})
			a.Parallel, a.Template.Answers = 1, 4
			a.Template.Network = takingTurns{f, site, old.Certificate, calls}
			run(a, t.Context())
			link := linkTo(f.reports[f.sites[0].tenant.Wwwroot], site.tenant.Wwwroot)
			if link.Outcome != Refused || link.Reason != ReasonSeveralCaches || link.Next != nextOfMember(site.tenant.Wwwroot) {
				t.Errorf("%s: %+v", name, link)
			}
		}
	}
}

// Of one answer alone: the pages that the web servers show in turn say that it is no missing RC4.
func TestWebServersThatTakeTurnsAreNotSaidToHaveNoRC4(t *testing.T) {
	w := newWorld(t)
	w.answer = func(string, int) *Failure { return &Failure{Reason: ReasonFault7023} }
	other := mustParse(w.someOther())
	r := w.renewal(Options{})
	r.Network = &turns{world: w, page: func(n int) *envelope.Certificate {
		if n%2 == 0 {
			return other
		}
		return nil
	}}
	if check, f := r.ask(t.Context(), &w.tenant, *w.tenant.identity(), 1); check != SelfFailed || f.Reason != ReasonSeveralCaches {
		t.Errorf("%s: %v", check, f)
	}
}

// A peer that answers under a retired key, while its web server proves the stored one: to push would
// only store a certificate that is right at every second call.
func TestAPeerThatAnswersUnderBothItsKeysHasSeveralCaches(t *testing.T) {
	w := newWorld(t)
	peer := w.addPeer(peerA, fakePeer{})
	site := peer.site(w.tenant.Pair.Certificate)
	peer.own = testPair(t, peerA, clock.AddDate(0, 0, -40)) // of the web server that answers this site
	r := w.renewal(Options{})
	r.Network = proves{callers{w}, peerA}
	r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(site, ownURL), nil }
	if p := r.Verify(t.Context()).Peers[0]; p.Reason != ReasonSeveralCaches || p.Next != nextOfMember(peerA) {
		t.Errorf("%+v", p)
	}
}

// proves is a network in which a site proves to itself whatever key it stores.
type proves struct {
	callers
	site string
}

func (n proves) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if own.Wwwroot == n.site && p.Wwwroot == n.site {
		return Proof{Certificate: own.Key.Certificate, Attempts: 1}
	}
	return n.callers.Prove(ctx, own, p, answered, keyswap)
}

// The page and check say what the error's hint says: after a push that has purged the cache, to push
// once more is no cure.
func TestALocalSiteThatShowsNoKeyHasOneNextStep(t *testing.T) {
	for _, f := range []Failure{{Reason: ReasonMNetOff}, {Reason: ReasonStrayOutput}, {Reason: ReasonTimeout, Pending: true}, {Reason: "http_301"}} {
		for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"push": (*Renewal).Distribute, "renew": (*Renewal).Run, "verify": (*Renewal).Verify} {
			for _, nodes := range [][]string{nil, {node4}} {
				w := newWorld(t)
				w.addPeer(peerA, fakePeer{})
				w.answer = func(string, int) *Failure { c := f; return &c }
				report := run(w.renewal(Options{Nodes: nodes}), t.Context())
				_, next := report.LocalSite()
				if hint := HintOf(report.Err); hint != "" && next != hint {
					t.Errorf("%s, %s: hint %q, but %q", name, f.Reason, hint, next)
				}
				if nodes != nil && strings.Contains(next, "name the web server with --node") {
					t.Errorf("%s, %s: a --node was given: %s", name, f.Reason, next)
				}
			}
		}
	}
}

// mixedTurns is an array of which one site fails every third call.
type mixedTurns struct {
	*fleet
	site   *fleetSite
	calls  *atomic.Int64
	answer Failure
}

func (n mixedTurns) Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, keyswap bool) Proof {
	if p.Wwwroot == n.site.tenant.Wwwroot && n.calls.Add(1)%3 == 0 {
		f := n.answer
		return Proof{Failure: &f, Attempts: 1}
	}
	return n.fleet.Prove(ctx, own, p, answered, keyswap)
}

// The links to a tenant whose own proof has failed are not proven by one more answer, whatever failed.
func TestALinkToATenantThatIsNotProvenIsNotProvenByChance(t *testing.T) {
	for name, run := range map[string]func(*Array, context.Context) int{
		"verify": func(a *Array, ctx context.Context) int { return a.Survey(ctx, SurveyVerify) },
		"push":   func(a *Array, ctx context.Context) int { a.PushOnly = true; return a.Run(ctx) },
	} {
		for _, answer := range []Failure{{Reason: ReasonMNetOff}, {Reason: ReasonUnknownToPeer}, {Reason: ReasonClock}, {Reason: ReasonBadCertificate, Other: "https://other.example"}} {
			f := newFleet(t, 3)
			site := f.sites[1]
			a := f.array(ArrayOptions{})
			a.Parallel, a.Template.Answers = 1, 5
			a.Template.Network = mixedTurns{f, site, new(atomic.Int64), answer}
			run(a, t.Context())
			for _, at := range []int{0, 2} {
				if p := linkTo(f.reports[f.sites[at].tenant.Wwwroot], site.tenant.Wwwroot); p.Outcome.Proven() {
					t.Errorf("%s, %s: %+v", name, answer.Reason, p)
				}
			}
		}
	}
}

// The name is asked beside --node only for what it shows of this site: where it leads to nothing, or to
// something else, a run does what it did without it.
func TestANameThatLeadsElsewhereDoesNotMatterBesideNode(t *testing.T) {
	for name, f := range map[string]*Failure{
		"it does not answer":          {Reason: ReasonTimeout, Pending: true},
		"something else answers":      {Reason: HTTPReason(404)},
		"another site answers":        {Reason: ReasonBadCertificate, Other: "https://other.example"},
		"another Moodle without MNet": {Reason: ReasonMNetOff},
	} {
		for command, run := range map[string]func(*Renewal, context.Context) TenantReport{
			"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "roll back": (*Renewal).RollBack, "verify": (*Renewal).Verify,
		} {
			w := newWorld(t)
			w.renewed(t)
			w.noPage = map[string]*Failure{"": f}
			w.answer = func(node string, _ int) *Failure {
				if node == "" {
					return f
				}
				return nil
			}
			w.cachedErr = errDown // so that the web servers are asked which key they use
			report := run(w.renewal(Options{Nodes: []string{node4}}), t.Context())
			shown := 1
			if f.Reason == ReasonMNetOff { // which is worth a word
				shown = 2
			}
			if report.Err != nil || report.Exit != ExitOK || report.SelfCheck != SelfProven || len(report.Nodes) != shown {
				t.Errorf("%s, %s: exit %d, %s, %v, %+v", name, command, report.Exit, report.SelfCheck, report.Err, report.Nodes)
			}
		}
	}
}

// A web server that was not named does not stand for one that was.
func TestANamedWebServerMustBeThereForASiteWithoutAKey(t *testing.T) {
	w := newWorld(t)
	r := w.renewal(Options{Nodes: []string{node4}})
	w.noReach = map[string]bool{node4: true}
	if err := r.reachable(t.Context(), &w.tenant); err == nil {
		t.Error("it is said to be reachable")
	}
}

// Behind a load balancer one answer by the name may come from a web server that is just down.
func TestOneBadAnswerByTheNameHidesNoWebServer(t *testing.T) {
	w := newWorld(t)
	old, byName := w.tenant.Pair, 0
	w.answer = func(node string, _ int) *Failure {
		if node != "" {
			return nil
		}
		if byName++; byName == 1 {
			return &Failure{Reason: HTTPReason(502), Pending: true}
		}
		if w.tenant.Pair != old { // the web server that nobody has named has the old key in its cache
			return &Failure{Reason: ReasonFault7023}
		}
		return nil
	}
	report := w.renewal(Options{Nodes: []string{node4}, Answers: 5}).Run(t.Context())
	if report.Outcome != Undone || report.Exit != ExitNotRenewed || w.tenant.Pair != old {
		t.Errorf("%s, exit %d, %v", report.Outcome, report.Exit, report.Err)
	}
}
