package rotate

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
)

// Behind the name there may be a web server that no --node names. A hook empties its cache, too.

// numberedPages is a network whose pages by the name are told by their number; one without a text is that
// of the world.
type numberedPages struct {
	*world
	page  func(n int) (text string, f *Failure)
	pages int
}

func (p *numberedPages) PublicKey(ctx context.Context, at Peer) (*envelope.Certificate, *Failure) {
	if at.Wwwroot == ownURL && at.Node == "" {
		p.mu.Lock()
		n := p.pages
		p.pages++
		p.mu.Unlock()
		switch text, f := p.page(n); {
		case f != nil:
			return nil, f
		case text != "":
			return mustParse(text), nil
		}
	}
	return p.world.PublicKey(ctx, at)
}

// everySecond page is a failure, up to a number.
func everySecond(f *Failure, until int) func(int) (string, *Failure) {
	return func(n int) (string, *Failure) {
		if n%2 == 1 && n < until {
			return "", f
		}
		return "", nil
	}
}

// first are failures, then the text is shown.
func first(n int, f *Failure, text string) func(int) (string, *Failure) {
	return func(page int) (string, *Failure) {
		if page < n {
			return "", f
		}
		return text, nil
	}
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
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: everySecond(f, 1000)}
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
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: everySecond(&Failure{Reason: ReasonHTTP503, Pending: true}, c.until)}
		report := r.Run(t.Context())
		if runs := len(w.happened("drop")) > 0; runs != c.runs {
			t.Errorf("%+v: the hook ran: %v: exit %d: %v", c, runs, report.Exit, report.Err)
		}
		if hint := HintOf(report.Err); !c.runs && (!strings.Contains(report.Err.Error(), byName) || !strings.Contains(hint, "or take it out of the load balancer and of the --cache-hook; before it is used again, name it with --node and push. ")) {
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

// cured is a world in which web1 uses a key of the history until the hook has run.
func cured(t *testing.T) *world {
	w := withRetired(t)
	w.answer = func(node string, _ int) *Failure {
		if node == "web1" && len(w.happened("drop")) == 0 {
			return &Failure{Reason: ReasonFault7023}
		}
		return nil
	}
	return w
}

// The calls by the name were this site's, so it leads here: whatever its pages answer, a web server that
// no --node names may be behind it. A load balancer sends most requests to the one that fails at once.
func TestPagesByTheNameThatFailAreWebServersOfThisSite(t *testing.T) {
	limited, refused, away := &Failure{Reason: ReasonHTTP429, Pending: true}, &Failure{Reason: ReasonHTTP403}, &Failure{Reason: ReasonHTTP503, Pending: true}
	other := newWorld(t).someOther()
	for name, page := range map[string]func(int) (string, *Failure){
		"four pages, then a limit": func(n int) (string, *Failure) {
			if n < 4 {
				return "", nil
			}
			return "", limited
		},
		"a limit for all":                     first(1000, limited, ""),
		"maintenance for all":                 first(1000, away, ""),
		"three refused, then another key":     first(3, refused, other),
		"three away, twice, then another key": first(6, away, other),
		"three limited, then another key":     first(3, limited, other),
		"four hang, then another key":         first(4, &Failure{Reason: ReasonTimeout, Pending: true}, other),
	} {
		w := cured(t)
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: page}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 {
			t.Errorf("%s: the hook ran: exit %d: %v", name, report.Exit, report.Err)
		}
		w = withRetired(t)
		r = w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Network, r.name.ours = &numberedPages{world: w, page: page}, true
		if hint := r.notUsed(t.Context(), &Failure{Reason: ReasonSeveralCaches}).Hint(); strings.Contains(hint, "purge_caches.php") {
			t.Errorf("%s: verify: %s", name, hint)
		}
	}
	w := newWorld(t)
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: first(3, away, other)}
	if report := r.Run(t.Context()); len(w.happened("drop")) > 0 {
		t.Errorf("renewal: the hook ran: exit %d: %v", report.Exit, report.Err)
	}
}

// No call was made that tells which key the web servers use.
func TestAHookPurgesNoKeyOfAnUnnamedWebServerOfASiteThatWasNotAsked(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"no pair is stored": func(w *world) { w.tenant.Pair = Stored{} },
		"mnet_off": func(w *world) {
			w.answer = func(node string, _ int) *Failure {
				if node == "web1" && len(w.happened("drop")) == 0 {
					return &Failure{Reason: ReasonMNetOff}
				}
				return nil
			}
		},
	} {
		w := newWorld(t)
		used := w.tenant.Pair
		w.tenant.History, w.cached = []Retired{{Stored: used, Expires: clock.Unix()}}, &used
		w.pages = map[string]string{"web1": used.Certificate, "web2": used.Certificate, "": w.someOther()}
		spoil(w)
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: first(3, &Failure{Reason: ReasonHTTP403}, "")}
		if report := r.Run(t.Context()); len(w.happened("drop")) > 0 {
			t.Errorf("%s: the hook ran: exit %d: %v", name, report.Exit, report.Err)
		}
	}
}

// oldNamePages is a network whose web servers show certificates of another name of the site, by node, until
// they are purged.
type oldNamePages struct {
	*world
	shown map[string]*envelope.Certificate
}

func (n oldNamePages) PublicKey(ctx context.Context, at Peer) (*envelope.Certificate, *Failure) {
	n.mu.Lock()
	c := n.shown[at.Node]
	purged := len(n.happened("drop")) > 0
	n.mu.Unlock()
	switch {
	case c == nil || purged:
		return n.world.PublicKey(ctx, at)
	case at.Wwwroot == c.SubjectAltName:
		return c, nil
	}
	return nil, &Failure{Reason: ReasonBadCertificate, Other: c.SubjectAltName, Shown: c}
}

// A move that was killed before the purge leaves the key of the old name in the caches.
func TestAPageByTheNameMayShowTheKeyOfAnOldName(t *testing.T) {
	for name, kept := range map[string]bool{"the history has it": true, "the database does not have it": false} {
		w := newWorld(t)
		old := testPair(t, "https://old.example", clock.AddDate(0, 0, -9))
		w.tenant.History = []Retired{{Stored: storedPair(old), Expires: clock.Add(48 * time.Hour).Unix()}}
		shown := map[string]*envelope.Certificate{"": old.Certificate, "web1": old.Certificate, "web2": old.Certificate}
		if !kept {
			shown[""] = testPair(t, "https://old.example", clock.AddDate(0, 0, -12)).Certificate
		}
		w.answer = func(string, int) *Failure {
			if len(w.happened("drop")) == 0 {
				return &Failure{Reason: ReasonFault7025}
			}
			return nil
		}
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, oldNamePages{w, shown}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 != kept {
			t.Errorf("%s: exit %d: %v", name, report.Exit, report.Err)
		}
	}
}

// What was seen is said before what was not.
func TestAnUnknownKeyBehindTheNameIsNamedBeforeAWebServerThatShowsNone(t *testing.T) {
	w := cured(t)
	w.cachedErr = errors.New("run it as www-data")
	other := w.someOther()
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: func(n int) (string, *Failure) {
		if n%2 == 0 {
			return "", &Failure{Reason: ReasonHTTP403}
		}
		return other, nil
	}}
	report := r.Distribute(t.Context())
	if !errors.Is(report.Err, errNowhere) || !strings.Contains(report.Err.Error(), "www-data") {
		t.Error(report.Err)
	}
}

// A web server whose cache says that MNet is off shows no page before the purge that cures it.
func TestAPageThatSaysMNetIsOffStopsNoCureOfJustThat(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "push": (*Renewal).Distribute} {
		w := newWorld(t)
		off := &Failure{Reason: ReasonMNetOff}
		w.answer = func(node string, n int) *Failure {
			if (node == "web1" || node == "" && n%2 == 0) && len(w.happened("drop")) == 0 {
				return off
			}
			return nil
		}
		w.noPage = map[string]*Failure{"web1": off}
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: everySecond(off, 1000)}
		if report := run(r, t.Context()); report.Exit != ExitOK {
			t.Errorf("%s: exit %d: %v; %s", name, report.Exit, report.Err, HintOf(report.Err))
		}
	}
}

func TestWithoutTheSelfCheckNoPageIsRead(t *testing.T) {
	w := newWorld(t)
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, SelfCheck: SelfCheckOff})
	pages := &numberedPages{world: w, page: first(1000, &Failure{Reason: ReasonHTTP503, Pending: true}, "")}
	r.Cache, r.Network = &countedHook{world: w}, pages
	if report := r.Distribute(t.Context()); report.Exit != ExitPeers || pages.pages > 0 || len(w.happened("drop")) == 0 {
		t.Errorf("exit %d: %v; %d pages", report.Exit, report.Err, pages.pages)
	}
}

// sequence is a network in which each request by the name meets the next web server.
type sequence struct {
	*world
	servers []*envelope.Certificate // by turn; nil is that of the world
	at      int
}

func (n *sequence) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	if p.Node != "" {
		return n.world.PublicKey(ctx, p)
	}
	n.mu.Lock()
	c := n.servers[n.at%len(n.servers)]
	n.at++
	n.mu.Unlock()
	own := p
	own.Wwwroot = ownURL
	switch {
	case c == nil && p.Wwwroot == ownURL:
		return n.world.PublicKey(ctx, own)
	case c == nil:
		return nil, &Failure{Reason: ReasonBadCertificate, Other: ownURL}
	case c.SubjectAltName == p.Wwwroot:
		return c, nil
	}
	return nil, &Failure{Reason: ReasonBadCertificate, Other: c.SubjectAltName, Shown: c}
}

// A page under another name is never taken for that of the next web server.
func TestALoadBalancerThatTakesTurnsHidesNoKeyOfAnOldName(t *testing.T) {
	old := testPair(t, "https://old.example", clock.AddDate(0, 0, -12)).Certificate
	for _, servers := range [][]*envelope.Certificate{{nil, old}, {nil, nil, old}} {
		w := cured(t)
		r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &sequence{world: w, servers: servers}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 {
			t.Errorf("%d web servers: the hook ran: exit %d: %v", len(servers), report.Exit, report.Err)
		}
	}
}

// The default host of a web server that does not have this site stops no renewal whose calls were good.
func TestAnotherSiteBehindTheNameStopsNoRenewal(t *testing.T) {
	w := newWorld(t)
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache, r.Network = &countedHook{world: w}, &sequence{world: w, servers: []*envelope.Certificate{nil, testPair(t, "https://master.example", clock).Certificate}}
	if report := r.Run(t.Context()); report.Outcome != Renewed {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// A web server accepts only so many calls: named ones are read five times at each look.
func TestNamedWebServersAreNotReadMoreOftenThanNeeded(t *testing.T) {
	w := cured(t)
	pages := &countedPages{world: w}
	r := w.renewal(Options{Nodes: []string{"web1", "web2"}, Answers: 5})
	r.Cache, r.Network = &countedHook{world: w}, pages
	if report := r.Distribute(t.Context()); report.Exit != ExitOK || pages.of["web1"] > 3*answersWanted || pages.of["web2"] > answersWanted {
		t.Errorf("exit %d: %v; %v", report.Exit, report.Err, pages.of)
	}
}

type countedPages struct {
	*world
	of map[string]int
}

func (n *countedPages) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	n.mu.Lock()
	if n.of == nil {
		n.of = map[string]int{}
	}
	n.of[p.Node]++
	n.mu.Unlock()
	return n.world.PublicKey(ctx, p)
}

// Without --node nothing else tells how many web servers are behind the address: all that a hook empties
// are looked for, also if another key was met at once. A limit of calls is none.
func TestOneAddressWithAHookIsReadUntilAllItsWebServersWereProbablyMet(t *testing.T) {
	other := newWorld(t).someOther()
	for name, c := range map[string]struct {
		text    string
		failure *Failure
		purged  bool
	}{
		"another key":       {other, nil, false},
		"maintenance":       {"", &Failure{Reason: ReasonHTTP503, Pending: true}, false},
		"a limit of calls":  {"", &Failure{Reason: ReasonHTTP429, Pending: true}, true},
		"the key of others": {"", nil, true},
	} {
		w := withRetired(t)
		retired := w.tenant.History[0].Certificate
		w.pages = nil
		w.answer = func(string, int) *Failure {
			if len(w.happened("drop")) == 0 {
				return &Failure{Reason: ReasonFault7023}
			}
			return nil
		}
		r := w.renewal(Options{Answers: 5})
		r.Cache, r.Network = &countedHook{world: w}, &numberedPages{world: w, page: func(n int) (string, *Failure) {
			if n == 12 { // after five for the calls, and the first five of the look before the purge
				return cmp.Or(c.text, retired), c.failure
			}
			return retired, nil
		}}
		if report := r.Distribute(t.Context()); len(w.happened("drop")) > 0 != c.purged {
			t.Errorf("%s: exit %d: %v", name, report.Exit, report.Err)
		}
	}
}
