package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
)

// provenPeers counts the peers of a report that are proven.
func provenPeers(r TenantReport) (n int) {
	for _, p := range r.Peers {
		if p.Outcome.Proven() {
			n++
		}
	}
	return n
}

// The web server keeps an old pair that cannot be purged from here (APCu, or a purge that reached
// another site): however often a renewal is tried, the pair that the web server and the peers use
// is kept.
func TestAWebServerThatFollowsNoRenewalLosesNoKey(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"the stored pair has been replaced in the table alone": func(w *world) {
			old := w.tenant.Pair
			w.own(testPair(w.t, ownURL, clock))
			w.cached, w.tenant.History = &old, []Retired{{Stored: old, Expires: clock.Unix()}}
		},
		"and the old pair stands in the cache alone": func(w *world) {
			old := w.tenant.Pair
			w.own(testPair(w.t, ownURL, clock))
			w.cached = &old
		},
		"its row is still that of the old pair, as VMoodle's script leaves it": func(w *world) {
			w.tenant.Pair = storedPair(testPair(w.t, ownURL, clock))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, url := range []string{"https://a.example", "https://b.example"} {
				w.addPeer(url, fakePeer{stock: true})
			}
			used := w.tenant.Pair
			prepare(w)
			for _, p := range w.peers {
				p.knows = used.Certificate
			}
			w.sticky = true
			stored, row := w.tenant.Pair, w.tenant.Own.Certificate
			for range 3 {
				report := w.renewal(Options{}).Run(t.Context())
				if report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrNotFollowed) {
					t.Fatalf("exit %d: %v", report.Exit, report.Err)
				}
				if w.tenant.Pair != stored || w.tenant.Own.Certificate != row || len(w.happened("push", "store")) > 0 {
					t.Fatal("something was stored or pushed")
				}
			}
			w.sticky = false // the missing purge
			report := w.renewal(Options{}).Run(t.Context())
			if report.Exit != ExitOK || provenPeers(report) != 2 {
				t.Errorf("after a purge: exit %d, %+v", report.Exit, report.Peers)
			}
		})
	}
}

// A push may restore the pair that the web server uses.
func TestAPushTakesUpThePairThatTheWebServerUses(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{stock: true})
	used := w.tenant.Pair
	w.own(testPair(t, ownURL, clock))
	stored := w.tenant.Pair
	w.cached, w.sticky = &used, true // and in no other place
	w.peers["https://a.example"].knows = used.Certificate
	report := w.renewal(Options{}).Distribute(t.Context())
	if report.Outcome != Undone || report.Exit != ExitNotRenewed || !errors.Is(report.Err, ErrUndone) {
		t.Errorf("%s, exit %d: %v", report.Outcome, report.Exit, report.Err)
	}
	if w.tenant.Pair != used || len(w.tenant.History) != 1 || w.tenant.History[0].Stored != stored {
		t.Error("the pair that the web server uses is not stored, or the other one is lost")
	}
	if report = w.renewal(Options{}).Distribute(t.Context()); report.Exit != ExitOK || provenPeers(report) != 1 {
		t.Errorf("the next push: exit %d, %v", report.Exit, report.Err)
	}
}

// Several web servers behind one address have a cache each, and one of the others has the only copy
// of a key: its page is seen on a new connection, and no purge is advised or made.
func TestAnOnlyCopyOfAnotherWebServerIsNotPurged(t *testing.T) {
	for name, o := range map[string]Options{"by a push": {}, "by a push that was given one of them": {Nodes: []string{"web1"}}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(_ string, n int) *Failure {
				if n%3 == 0 {
					return &Failure{Reason: "fault_7023"}
				}
				return nil
			}
			turns, other := &turns{world: w}, testPair(t, ownURL, clock.AddDate(0, 0, -9)).Certificate
			turns.page = func(n int) *envelope.Certificate {
				if n%3 == 0 {
					return other
				}
				return nil
			}
			o.Answers = 5
			r := w.renewal(o)
			r.Network = turns
			report := r.Distribute(t.Context())
			if report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrOnlyCopy) || len(w.happened("drop", "store", "push")) > 0 {
				t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
			}
		})
	}
}

// turns are web servers that take turns at one address.
type turns struct {
	*world
	pages int
	page  func(n int) *envelope.Certificate // nil: that of the stored pair
}

func (n *turns) PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure) {
	n.mu.Lock()
	n.pages++
	c := n.page(n.pages)
	n.mu.Unlock()
	if c != nil {
		return c, nil
	}
	return n.world.PublicKey(ctx, p)
}

// What an operator is told to do if nothing made the web servers use the stored key: purge only if
// the database has every key that they show, and if they were all seen.
func TestAPurgeIsAdvisedOnlyIfNoKeyCanBeLost(t *testing.T) {
	differ, same := &Failure{Reason: ReasonSeveralCaches}, &Failure{Reason: ReasonFault7023}
	for name, c := range map[string]struct {
		failure *Failure
		nodes   []string
		unknown bool // a web server shows a certificate whose key the database does not have
		purge   bool
	}{
		"one web server with a known key":         {failure: same, purge: true},
		"one web server with another key":         {failure: same, unknown: true},
		"several with known keys, named":          {failure: differ, nodes: []string{"web1", "web2"}, purge: true},
		"several of which one has another, named": {failure: differ, nodes: []string{"web1", "web2"}, unknown: true},
		"several behind one address":              {failure: differ},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.unknown {
				w.pages = map[string]string{"": w.someOther(), "web2": w.someOther()}
			}
			r := w.renewal(Options{Nodes: c.nodes})
			for _, again := range []string{"", "run: renew_mnetkeys"} {
				err := &LocalSiteError{Failure: c.failure, Again: again, Kept: r.allKept(t.Context(), c.failure)}
				if purge := strings.Contains(err.Hint(), "purge_caches.php"); purge != c.purge || strings.Contains(err.Hint(), "do not purge") == c.purge {
					t.Error(err.Hint())
				}
			}
		})
	}
}

// What an operator is told depends on what prevented the proof: a purge and a hook cure nothing if no
// key was seen.
func TestTheHintOfAKeyThatIsNotProvenIsThatOfItsCause(t *testing.T) {
	const push = "Purge no cache before: a web server may have the only copy of a key. Then run: renew_mnetkeys push"
	used, down := &Failure{Reason: ReasonFault7023}, &Failure{Reason: ReasonConnect, Pending: true, asked: []string{"web2"}}
	locked, cache := &hinted{"not written", "unlock the account"}, &hinted{"not purged", "run it as the web server's user"}
	for want, err := range map[string]*LocalSiteError{
		"bring the web server web2 back. " + push:                                                        {Failure: down, Unseen: true},
		"let the web server, or the filter in front of it, accept more calls from this machine. " + push: {Failure: &Failure{Reason: ReasonHTTP429, Pending: true}, Unseen: true},
		ReasonNoRC4.Row().NextLocal + ". " + push:                                                        {Failure: &Failure{Reason: ReasonNoRC4}, Unseen: true},
		nextBehindLogin + ". " + push:                                                                    {Failure: &Failure{Reason: ReasonHTTP403}, Unseen: true, Hooked: true},
		nextBehindLogin + ". Then start the same command again":                                          {Failure: &Failure{Reason: ReasonHTTP403}, Unseen: true, Hooked: true, Undone: true},
		"the log of this site's web server says why it failed. " + push:                                  {Failure: &Failure{Reason: HTTPReason(500), Pending: true}, Unseen: true},
		"the old key was restored, since the web server could not be asked whether it uses the new one. If the --cache-hook restarts the web server, let the hook wait until the web server answers. When it answers again, start the same command again":                                                                                              {Failure: down, Unseen: true, Hooked: true, Undone: true},
		"the log of this site's web server says why it failed. If the --cache-hook restarts the web server, let the hook wait until the web server answers. Then start the same command again":                                                                                                                                                         {Failure: &Failure{Reason: HTTPReason(502), Pending: true}, Unseen: true, Hooked: true, Undone: true},
		"before the next run, correct the --cache-hook: it ran, and a web server still has an old configuration in its cache. It must purge core/config for every web server, also for one that no --node names. If it does, the config.php of a web server may name another database. To see which store it is, run: renew_mnetkeys doctor --verbose": {Failure: used, Hooked: true, Undone: true},
		"unlock the account. Then run: renew_mnetkeys …": {Failure: used, Kept: true, NotPutBack: locked, Again: "run: renew_mnetkeys …"},
		"correct the --cache-hook: the error, or what the hook printed above it, says why it failed. " + strings.Replace(push, "push", "push --self-check=off", 1): {Hooked: true, Cache: errors.New("exit code 127"), Again: "run: renew_mnetkeys push --self-check=off"},
		"correct what the error names. Then run: renew_mnetkeys push --self-check=off":                                                                             {Cache: errors.New("disk full"), Again: "run: renew_mnetkeys push --self-check=off"},
		"correct the --cache-hook: the error, or what the hook printed above it, says why it failed. " + push:                                                      {Failure: used, Hooked: true, Cache: errors.New("exit code 127")},
		"unlock the account. Then run: renew_mnetkeys push":                                                                                                        {Failure: used, Kept: true, NotPutBack: locked},
		"run it as the web server's user. " + push:                                                                                                                 {Failure: used, Cache: cache},
		"unlock the account. " + push:                                                                    {Failure: used, NotPutBack: locked},
		"unlock the account. Run it as the web server's user. " + push:                                   {Failure: used, NotPutBack: locked, Cache: cache},
		"unlock the account. Set both clocks by NTP: peers refuse answers from the future, too. " + push: {Failure: &Failure{Reason: ReasonClock}, NotPutBack: locked, Elsewhere: ErrOwnClock},
		"purge no cache before: a web server may have the only copy of a key. No new key is needed. When the database answers again, run: renew_mnetkeys push": {Failure: used, NotPutBack: ErrUncertain},
		"purge no cache before: a web server may have the only copy of a key. To create the row and make a new key, run: renew_mnetkeys --newkey":              {Failure: used, NotPutBack: ErrNoLocalRow},
		"run it as the web server's user. Peers may have the other key by an earlier push. To give them the one that is stored now, run: renew_mnetkeys push":  {Failure: used, Undone: true, Pushed: true, Cache: cache},
		"make it so. As its owner, run: sudo -u www-data renew_mnetkeys …":                                                                                     {Failure: down, Unseen: true, Undone: true, Cache: &hinted{"not purged", "make it so. As its owner, run: sudo -u www-data renew_mnetkeys …"}},
		advisePushEach: {Failure: used, NotPutBack: errors.New("no hint")},
	} {
		if got := err.Hint(); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
}

// A web server that was seen to use another key, and then fails, has the cure of its failure. The
// stored key may be one that a push does not distribute.
func TestTheHintAfterAPurgeIsThatOfTheAnswer(t *testing.T) {
	for _, reason := range []Reason{HTTPReason(500), ReasonStrayOutput, ReasonHTTP403, ReasonHTTP503, ReasonNotXMLRPC} {
		w := newWorld(t)
		w.answer = func(string, int) *Failure {
			if len(w.happened("drop")) == 0 {
				return &Failure{Reason: ReasonFault7025}
			}
			return &Failure{Reason: reason, Pending: reason.Row().Pending}
		}
		if hint := HintOf(w.renewal(Options{Nodes: []string{"web1"}}).Run(t.Context()).Err); !strings.Contains(hint, reason.Row().NextLocal) || strings.Contains(hint, "--self-check=off") {
			t.Errorf("%s: %s", reason, hint)
		}
	}
	for name, made := range map[string]*envelope.KeyPair{"expired": testPair(t, ownURL, clock.AddDate(0, 0, -40)), "of another name": testPair(t, "https://original.example", clock.AddDate(0, 0, -2))} {
		w := newWorld(t)
		used := w.tenant.Pair
		w.own(made)
		w.cached, w.sticky = &used, true
		if hint := HintOf(w.renewal(Options{}).Run(t.Context()).Err); strings.HasSuffix(hint, "renew_mnetkeys push") {
			t.Errorf("%s: %s", name, hint)
		}
	}
}

// No key was seen.
func TestAnErrorClaimsNoOtherKeyThanWasSeen(t *testing.T) {
	for _, reason := range []Reason{ReasonClock, ReasonMNetOff, ReasonUnknownToPeer, ReasonHTTP403, ReasonConnect} {
		w := newWorld(t)
		w.answer = func(string, int) *Failure {
			if len(w.happened("store")) > 0 {
				return &Failure{Reason: reason, Pending: reason.Row().Pending}
			}
			return nil
		}
		if err := w.renewal(Options{}).Run(t.Context()).Err; err == nil || strings.Contains(err.Error(), ErrNotFollowed.Error()) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// A hint has one command, which is at its end.
func TestTheHintOfAnAnswerThatShowsNoKeyEndsWithItsCommand(t *testing.T) {
	for _, row := range slices.Concat(Reasons, families) {
		failure := &Failure{Reason: row.Code, Pending: row.Pending}
		if row.LocalSite != "" || stale(SelfUnreachable, failure) || row.Code == ReasonLocalSite || row.Code == ReasonDatabase || row.Code == ReasonNotStored || row.Code == ReasonTwoRows || row.Code == ReasonSeveralCaches || strings.HasPrefix(string(row.Code), "fault_6") {
			continue // it is no answer, shows a key, or is Mahara's
		}
		hint := (&LocalSiteError{Failure: failure, Unseen: true}).Hint()
		if sentence, command := SplitHint(hint); command != "renew_mnetkeys push" || strings.Count(sentence, "un: ") != 1 || strings.Contains(hint, "peer's") {
			t.Errorf("%s: %s", row.Code, hint)
		}
	}
}

// It used another key, its cache was dropped, and then it is down.
func TestAWebServerThatIsDownAfterItsCacheWasDroppedIsNamed(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "push": (*Renewal).Distribute} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		w.noReach = map[string]bool{"": true}
		w.answer = func(node string, _ int) *Failure {
			switch {
			case node != "web2":
				return nil
			case len(w.happened("drop")) == 0:
				return &Failure{Reason: ReasonFault7025}
			}
			return &Failure{Reason: ReasonConnect, Pending: true}
		}
		report := run(w.renewal(Options{Nodes: []string{"web1", "web2"}}), t.Context())
		if hint := HintOf(report.Err); !strings.HasPrefix(hint, "start the web server web2. ") {
			t.Errorf("%s: %s", name, hint)
		}
	}
}

// A hook purges the caches of all web servers, which this program has not read: a renewal asks more
// than one of them before.
func TestARenewalWithAHookAsksMoreThanOneWebServerFirst(t *testing.T) {
	w := newWorld(t)
	w.answer = func(_ string, n int) *Failure {
		if n == 4 {
			return &Failure{Reason: "fault_7023"}
		}
		return nil
	}
	w.pages = map[string]string{"": w.someOther()}
	r := w.renewal(Options{Answers: 5})
	r.Cache = &countedHook{world: w}
	if report := r.Run(t.Context()); !errors.Is(report.Err, ErrOnlyCopy) || len(w.happened("drop", "store")) > 0 {
		t.Errorf("%v; %v", report.Err, w.events)
	}
}

// Of a key that was renewed by half, or has expired, only the page is read: as often.
func TestARenewalWithAHookReadsThePagesOfMoreThanOneWebServerFirst(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"the row is that of another pair": func(w *world) { w.tenant.Own.Certificate = w.someOther() },
		"the key has expired":             func(w *world) { w.tenant.Own.Expires = clock.Unix() - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			prepare(w)
			other := testPair(t, ownURL, clock.AddDate(0, 0, -9)).Certificate
			r := w.renewal(Options{Answers: 5})
			r.Cache = &countedHook{world: w}
			r.Network = &turns{world: w, page: func(n int) *envelope.Certificate {
				if n%3 == 0 {
					return other
				}
				return nil
			}}
			if report := r.Run(t.Context()); !errors.Is(report.Err, ErrOnlyCopy) || len(w.happened("drop", "store")) > 0 {
				t.Errorf("%v; %v", report.Err, w.events)
			}
		})
	}
}

// A hook empties the cache of a web server that no --node names, too: the key that is shown by the name
// must be in the database, whatever the web servers show that are named.
func TestAHookPurgesNoKeyThatOnlyAnUnnamedWebServerHas(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "push": (*Renewal).Distribute} {
		for _, kept := range []bool{false, true} {
			w := newWorld(t)
			retired, only := testPair(t, ownURL, clock.AddDate(0, 0, -25)), testPair(t, ownURL, clock.AddDate(0, 0, -9))
			w.tenant.History = []Retired{{Stored: storedPair(retired), Expires: clock.Unix()}}
			if kept {
				w.tenant.History = append(w.tenant.History, Retired{Stored: storedPair(only), Expires: clock.Unix()})
			}
			w.pages = map[string]string{"web1": retired.Certificate.PEM, "": only.Certificate.PEM}
			w.answer = func(node string, _ int) *Failure {
				if node != "web2" && len(w.happened("drop")) == 0 {
					return &Failure{Reason: ReasonFault7023}
				}
				return nil
			}
			r := w.renewal(Options{Nodes: []string{"web1", "web2"}})
			r.Cache = &countedHook{world: w}
			report := run(r, t.Context())
			if purged := len(w.happened("drop")) > 0; purged != kept || errors.Is(report.Err, ErrOnlyCopy) == kept {
				t.Errorf("%s, the database has it: %v: purged: %v; %v", name, kept, purged, report.Err)
			}
		}
	}
}

// A cache that cannot be read may have the only copy: it is not purged.
func TestACacheThatCannotBeReadIsNotPurgedWhileItMayHaveTheOnlyCopy(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{stock: true})
	used := w.tenant.Pair
	w.own(testPair(t, ownURL, clock))
	w.cached, w.cachedErr = &used, errors.New("igbinary")
	for _, run := range []func(*Renewal) TenantReport{
		func(r *Renewal) TenantReport { return r.Run(t.Context()) }, func(r *Renewal) TenantReport { return r.Distribute(t.Context()) },
	} {
		report := run(w.renewal(Options{}))
		if report.Exit != ExitLocalSite || !errors.Is(report.Err, ErrOnlyCopy) || len(w.happened("drop", "store", "push")) > 0 {
			t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
		}
	}
	if report := w.renewal(Options{AbandonPending: true}).Run(t.Context()); report.Outcome != Renewed {
		t.Errorf("given up: %v", report.Err)
	}
}

// What helps depends on where the key may be.
func TestTheHintOnAnOnlyCopySaysWhoCanReadIt(t *testing.T) {
	unread := func(err error) error { return fmt.Errorf("%w: %w", errUnreadCache, err) }
	for says, err := range map[string]error{
		"with php installed":            unread(errors.New("igbinary")),
		"No other process can read it":  unread(errors.Join(errors.New("igbinary"), ErrCacheInMemory)),
		"the cache of another web serv": errNowhere,
	} {
		hint := HintOf(&OnlyCopyError{Err: err})
		for _, other := range []string{"with php installed", "No other process can read it", "the cache of another web serv"} {
			if strings.Contains(hint, other) != (other == says) {
				t.Errorf("%v: %s", err, hint)
			}
		}
		// The command at the end gives the key up only if nothing can save it.
		if lost := errors.Is(err, ErrCacheInMemory); strings.Contains(hint, "--cache-hook=") != lost ||
			strings.Contains(hint, "un: renew_mnetkeys --abandon-pending") != lost || strings.HasSuffix(hint, "run: renew_mnetkeys …") == lost {
			t.Errorf("%v: %s", err, hint)
		}
	}
}

func TestACacheThatCannotBeReadIsPurgedIfItsKeyIsKnown(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{stock: true})
	used := w.tenant.Pair
	w.own(testPair(t, ownURL, clock))
	w.tenant.History = []Retired{{Stored: used, Expires: clock.Unix()}}
	w.cached, w.cachedErr = &used, errors.New("igbinary")
	if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitOK {
		t.Errorf("exit %d: %v", report.Exit, report.Err)
	}
}

// The database has the certificate with a damaged key: only the cache may have the complete pair.
func TestACacheThatCannotBeReadIsNotPurgedForACertificateWithoutItsKey(t *testing.T) {
	for name, prepare := range map[string]func(w *world, damaged Stored){
		"of a retired pair": func(w *world, damaged Stored) {
			w.own(testPair(w.t, ownURL, clock))
			w.tenant.History = []Retired{{Stored: damaged, Expires: clock.Unix()}}
		},
		"of the stored pair": func(w *world, damaged Stored) { w.tenant.Pair = damaged },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{stock: true})
			used := w.tenant.Pair
			prepare(w, Stored{Certificate: used.Certificate, PrivateKey: "damaged"})
			w.cached, w.cachedErr = &used, errors.New("igbinary")
			report := w.renewal(Options{}).Run(t.Context())
			if report.Exit == ExitOK || !errors.Is(report.Err, ErrOnlyCopy) || len(w.happened("drop", "store", "push")) > 0 {
				t.Errorf("exit %d: %v; %v", report.Exit, report.Err, w.events)
			}
			w.cachedErr = nil // can be read after all
			report = w.renewal(Options{}).Run(t.Context())
			if report.Outcome != Renewed || !w.hasRetired(used) {
				t.Errorf("once it can be read: %s: %v", report.Outcome, report.Err)
			}
		})
	}
}

// A site without RC4 proves no peer: renewals drop no key meanwhile.
func TestASiteWithoutRC4LosesNoKeyUntilItCanDoIt(t *testing.T) {
	w := newWorld(t)
	for _, url := range []string{"https://a.example", "https://b.example", "https://c.example"} {
		w.addPeer(url, fakePeer{stock: true, refuses: "fault_7023"})
	}
	w.rc4less = true
	for range 4 {
		if report := w.renewal(Options{}).Run(t.Context()); report.Exit != ExitPeers || report.SelfCheck != SelfNoRC4 {
			t.Fatalf("exit %d: %v", report.Exit, report.Err)
		}
	}
	w.rc4less = false // the legacy provider is switched on
	for _, p := range w.peers {
		p.refuses = ""
	}
	if report := w.renewal(Options{}).Distribute(t.Context()); report.Exit != ExitOK || provenPeers(report) != 3 {
		t.Errorf("exit %d, %+v", report.Exit, report.Peers)
	}
}

// If a peer gives any answer that is not a proof, its key is kept, up to twelve.
func TestAPeerThatIsNotProvenKeepsTheHistoryWhole(t *testing.T) {
	for _, reason := range []Reason{"not_xmlrpc", "http_301", "too_large", "no_rc4", "clock", "http_403", "bad_signature", "http_503", "mnet_off", "stray_output", "new_reason"} {
		t.Run(string(reason), func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			p := w.addPeer("https://b.example", fakePeer{stock: true, refuses: reason})
			for i := range 11 {
				report := w.renewal(Options{}).Run(t.Context())
				if report.Exit != ExitPeers || len(w.tenant.History) != i+1 || report.History != i+1 {
					t.Fatalf("renewal %d: exit %d, %d retired keys (%v)", i+1, report.Exit, len(w.tenant.History), report.Err)
				}
			}
			p.refuses = ""
			report := w.renewal(Options{}).Run(t.Context())
			if report.Exit != ExitOK || len(w.tenant.History) != 3 || report.History != 3 {
				t.Errorf("once it is back: exit %d, %d retired keys, %+v", report.Exit, len(w.tenant.History), report.Peers)
			}
		})
	}
}

func TestPastTwelveRetiredKeysTheOldestGoesWithAWarning(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{dead: true})
	for i := range 14 {
		report := w.renewal(Options{}).Run(t.Context())
		if warned := len(report.Warnings) > 0; warned != (i >= 12) || len(w.tenant.History) != min(i+1, 12) {
			t.Errorf("renewal %d: %d retired keys, %q", i+1, len(w.tenant.History), report.Warnings)
		}
	}
}

// What a full history dropped is no longer all that the run dropped once it has shortened it.
func TestTheWarningOfAFullHistorySaysWhatTheRunDropped(t *testing.T) {
	const full = "the key history is full (12 keys): the oldest one was dropped. A peer that was down all that time cannot fetch the new key by itself"
	for name, c := range map[string]struct {
		dead        bool
		o           Options
		generations int
		want        []string
		kept        int
	}{
		"a peer is down":                       {true, Options{}, 0, []string{full}, 12},
		"all peers are proven":                 {false, Options{}, 0, nil, 3},
		"all are proven, and none is given up": {false, Options{AbandonPending: true}, 0, nil, 3},
		"a peer is given up": {true, Options{AbandonPending: true}, 0,
			[]string{"--abandon-pending dropped 10 of the 13 keys in the key history: peers that are not proven may need them"}, 3},
		"the site keeps as many": {true, Options{AbandonPending: true}, 12, []string{full}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{dead: c.dead})
			w.retire(12)
			if c.generations > 0 {
				w.tenant.Generations = c.generations
			}
			report := w.renewal(c.o).Run(t.Context())
			if !slices.Equal(report.Warnings, c.want) || len(w.tenant.History) != c.kept {
				t.Errorf("%d retired keys, %q", len(w.tenant.History), report.Warnings)
			}
		})
	}
}

// What is put back with the old key was not dropped.
func TestARenewalThatWasUndoneDoesNotWarnOfAKeyThatItPutBack(t *testing.T) {
	w := newWorld(t)
	w.retire(12)
	before := slices.Clone(w.tenant.History)
	w.sticky = true
	report := w.renewal(Options{}).Run(t.Context())
	if report.Outcome != Undone || !slices.Equal(w.tenant.History[:12], before) || len(report.Warnings) > 0 {
		t.Errorf("%s, %d retired keys, %q", report.Outcome, len(w.tenant.History), report.Warnings)
	}
}

// A run that renews nothing, as most of those with --if-due, gives up peers as well.
func TestGivingUpPeersIsSaidThoughNothingIsRenewed(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{dead: true, refuses: ReasonConnect})
	w.retire(5)
	o := Options{AbandonPending: true, Due: DuePolicy{OnlyIfDue: true, Before: time.Hour}}
	report := w.renewal(o).Run(t.Context())
	want := []string{"--abandon-pending dropped 2 of the 5 keys in the key history: peers that are not proven may need them"}
	if !report.NotDue || !slices.Equal(report.Warnings, want) {
		t.Errorf("not due %v: %q", report.NotDue, report.Warnings)
	}
	if report = w.renewal(o).Run(t.Context()); report.Warnings != nil {
		t.Errorf("nothing was dropped: %q", report.Warnings)
	}
}

func TestTheHistoryIsShortenedOnlyWhenAllIsProven(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*world)
		o     Options
		kept  int
	}{
		{"all proven", func(*world) {}, Options{}, 3},
		{"a peer is down", func(w *world) { w.peers["https://a.example"].dead = true }, Options{}, 6},
		{"a peer is down, and given up", func(w *world) { w.peers["https://a.example"].dead = true }, Options{AbandonPending: true}, 3},
		{"the local site is not asked", func(*world) {}, Options{SelfCheck: SelfCheckOff}, 6},
		{"the local site is not asked, and peers are given up", func(*world) {}, Options{SelfCheck: SelfCheckOff, AbandonPending: true}, 6},
		{"the local site does not answer at the end", func(w *world) { w.at("prove https://a.example", 1, func() { w.unreachable = true }) }, Options{}, 6},
		{"another program writes the key meanwhile", func(w *world) { w.at("store-history", 1, func() { w.version++ }) }, Options{}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			for i := range 5 {
				pair := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -30-i)))
				w.tenant.History = append(w.tenant.History, Retired{Stored: pair, Expires: clock.Unix()})
			}
			c.spoil(w)
			report := w.renewal(c.o).Run(t.Context())
			if len(w.tenant.History) != c.kept || report.History != c.kept {
				t.Errorf("%d retired keys, %d reported, want %d (exit %d, %v)", len(w.tenant.History), report.History, c.kept, report.Exit, report.Err)
			}
		})
	}
}

// A push that proves every peer shortens the history as well.
func TestAPushShortensTheHistory(t *testing.T) {
	w := newWorld(t)
	p := w.addPeer("https://a.example", fakePeer{dead: true})
	for range 5 {
		w.renewal(Options{}).Run(t.Context())
	}
	p.dead = false
	if report := w.renewal(Options{}).Distribute(t.Context()); report.Exit != ExitOK || len(w.tenant.History) != 3 {
		t.Errorf("exit %d, %d retired keys", report.Exit, len(w.tenant.History))
	}
}

// The cache may have a history from before it was shortened. The pair that was undone there comes to
// the end again, unless a web server may use it, and no rollback returns to it.
func TestAnUndonePairOfTheCacheStaysUndone(t *testing.T) {
	for name, current := range map[string]bool{"retired in the cache": false, "current in another cache": true} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{dead: true})
		w.retire(3)
		used, pair := w.tenant.History[0].Stored, *w.otherPair()
		w.alsoCached = []Retired{{Stored: pair, Expires: undone}}
		if current {
			w.alsoCached = append(w.alsoCached, Retired{Stored: pair})
		}
		before := w.tenant.Pair
		if report := w.renewal(Options{}).Run(t.Context()); report.Outcome != Renewed {
			t.Fatal(name, report.Err)
		}
		history := w.tenant.History
		last := history[len(history)-1]
		if len(history) != 5 || history[0].Stored != before || !current && (last.Stored != pair || last.Expires != undone || history[1].Stored != used) ||
			current && (history[1].Stored != pair || history[1].Expires == undone) {
			t.Errorf("%s: %d pairs, the last expires %d", name, len(history), last.Expires)
		}
	}
}

// A web server, whose cache cannot be read from here, uses the pair that an old history here calls
// undone, and a peer may know it from there: it was in use.
func TestAPairThatAWebServerShowsIsNotUndone(t *testing.T) {
	w := newWorld(t)
	w.retire(3)
	pair := *w.otherPair()
	w.noReach = map[string]bool{"": true}
	w.alsoCached = []Retired{{Stored: pair, Expires: undone}}
	w.pages = map[string]string{"web2": pair.Certificate}
	dropped := false
	w.on = func(event string) {
		if strings.HasPrefix(event, "drop") { // by a hook, on web2 too
			dropped, w.pages = true, nil
		}
	}
	w.answer = func(node string, _ int) *Failure {
		if node == "web2" && !dropped {
			return &Failure{Reason: ReasonFault7025}
		}
		return nil
	}
	report := w.renewal(Options{Nodes: []string{"web1", "web2"}}).Distribute(t.Context())
	if report.Err != nil || !w.hasRetired(pair) || w.tenant.History[0].Stored != pair || w.tenant.History[0].Expires == undone {
		t.Errorf("%v: %d pairs, the first expires %d", report.Err, len(w.tenant.History), w.tenant.History[0].Expires)
	}
}

// An undone pair was never in use: no rollback returns to it.
func TestARollBackAfterAnUndoneRenewalDoesNotTakeTheUndonePair(t *testing.T) {
	w := newWorld(t)
	w.sticky = true
	old := w.tenant.Pair
	if report := w.renewal(Options{}).Run(t.Context()); report.Outcome != Undone || len(w.tenant.History) != 1 {
		t.Fatalf("%s: %v", report.Outcome, report.Err)
	}
	w.sticky = false
	if report := w.renewal(Options{}).RollBack(t.Context()); !errors.Is(report.Err, ErrOnlyUndone) || w.tenant.Pair != old {
		t.Errorf("%s: %v", report.Outcome, report.Err)
	}
	w.renewed(t)
	if report := w.renewal(Options{}).RollBack(t.Context()); report.Outcome != Renewed || w.tenant.Pair != old {
		t.Errorf("after a renewal: %s: %v", report.Outcome, report.Err)
	}
}

// A retired pair that no rollback can use is refused with the reason and a next step.
func TestARollBackSaysWhyARetiredPairCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*world, *Retired)
		says  string
	}{
		"it is none": {func(_ *world, r *Retired) { r.PrivateKey = "torn" }, "the newest retired key cannot be read: "},
		"it has expired": {func(w *world, r *Retired) {
			*r = Retired{Stored: storedPair(testPair(w.t, w.tenant.Wwwroot, clock.AddDate(0, 0, -60)))}
		}, "the newest retired key: the key has expired: "},
		"it is another site's": {func(w *world, r *Retired) {
			*r = Retired{Stored: storedPair(testPair(w.t, "https://other.example", clock))}
		}, "the newest retired key: the key was made for another wwwroot"},
		"its renewal was undone":       {func(_ *world, r *Retired) { r.Expires = undone }, ErrOnlyUndone.Error()},
		"there is only an empty entry": {func(_ *world, r *Retired) { *r = Retired{} }, ErrNothingRetired.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.renewed(t)
			c.spoil(w, &w.tenant.History[0])
			now := w.tenant.Pair
			report := w.renewal(Options{}).RollBack(t.Context())
			if !strings.HasPrefix(report.Error, c.says) || HintOf(report.Err) != adviseRenewal || w.tenant.Pair != now {
				t.Errorf("%s: %s", report.Error, HintOf(report.Err))
			}
			if status := w.renewal(Options{}).Status(t.Context(), false); status.Back != nil || status.NoBack == nil || status.NoBack.Error() != report.Error {
				t.Errorf("status: %v", status.NoBack)
			}
		})
	}
}

// Two sites that renew at the same moment refuse each other for a second.
func TestALinkThatIsInOrderASecondLaterIsProven(t *testing.T) {
	for _, reason := range []Reason{ReasonFault710, ReasonFault7023, ReasonFault7025, ReasonCannotOpen, ReasonBadSignature} {
		w := newWorld(t)
		p := w.addPeer("https://a.example", fakePeer{refuses: reason})
		w.addPeer("https://b.example", fakePeer{})
		r := w.renewal(Options{})
		r.Sleep = func(_ context.Context, d time.Duration) error {
			if d == onceMoreAfter {
				p.refuses = ""
			}
			return nil
		}
		report := r.Run(t.Context())
		if report.Exit != ExitOK || provenPeers(report) != 2 {
			t.Errorf("%s: exit %d, %+v", reason, report.Exit, report.Peers)
		}
		if pushes := w.happened("push"); !slices.Equal(slices.Sorted(slices.Values(pushes)), []string{"push https://a.example", "push https://a.example", "push https://b.example"}) {
			t.Errorf("%s: %v", reason, pushes)
		}
	}
}

// Who asked for an older key must not read that it was restored.
func TestARollBackThatIsUndoneSaysSo(t *testing.T) {
	w := newWorld(t)
	w.tenant.History = []Retired{{Stored: storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -10)))}}
	w.sticky = true
	before := w.tenant.Pair
	report := w.renewal(Options{}).RollBack(t.Context())
	if report.Outcome != Undone || w.tenant.Pair != before || !strings.HasPrefix(report.Error, "the rollback was undone: "+ErrUndone.Error()) {
		t.Errorf("%s: %s", report.Outcome, report.Error)
	}
}
