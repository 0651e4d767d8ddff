package rotate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

func TestWhatBecomesOfAPeer(t *testing.T) {
	for _, c := range []struct {
		name    string
		peer    fakePeer
		prepare func(*world, *fakePeer)
		exit    int
		outcome PeerOutcome
		reason  Reason
	}{
		{name: "one that takes the key is proven", outcome: Accepted},
		{name: "one that stores nothing at a keyswap heals at the call", peer: fakePeer{stock: true}, outcome: Accepted},
		{name: "one that has a new key and no old one heals when our row has it", peer: fakePeer{stock: true, forgot: true}, outcome: Healed,
			prepare: func(w *world, p *fakePeer) { p.own = testPair(w.t, "https://a.example", clock.AddDate(0, 0, -1)) }},
		{name: "one that is down stays pending", peer: fakePeer{dead: true}, outcome: Pending, reason: "connect", exit: ExitPeers},
		{name: "one that cannot be called back is refused", peer: fakePeer{stock: true}, outcome: Refused, reason: "fault_710", exit: ExitPeers,
			prepare: func(_ *world, p *fakePeer) { p.knows = "something forgotten" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.addPeer("https://a.example", c.peer)
			if c.prepare != nil {
				c.prepare(w, p)
			}
			report := w.renewal(Options{}).Run(t.Context())
			got := report.Peers[0]
			if got.Outcome != c.outcome || got.Reason != c.reason || report.Exit != c.exit {
				t.Errorf("got %s %q, exit %d; want %s %q, %d", got.Outcome, got.Reason, report.Exit, c.outcome, c.reason, c.exit)
			}
			if holds := p.knows == w.tenant.Pair.Certificate; holds != got.Outcome.Proven() {
				t.Errorf("reported %s, and it has the new certificate: %v", got.Outcome, holds)
			}
		})
	}
}

func TestWhichCertificateOfAPeerIsKept(t *testing.T) {
	newer := func(w *world) *envelope.KeyPair { return testPair(w.t, "https://a.example", clock.AddDate(0, 0, -1)) }
	older := func(w *world) *envelope.KeyPair { return testPair(w.t, "https://a.example", clock.AddDate(0, 0, -30)) }
	for _, c := range []struct {
		name   string
		own    func(*world) *envelope.KeyPair // the peer's pair; the row has another
		answer func(*world) *envelope.KeyPair
		want   func(*fakePeer, string) string
	}{
		{"a newer one that proves itself is stored", newer, nil, func(p *fakePeer, _ string) string { return p.own.Certificate.PEM }},
		{"an older one that proves itself is stored: it was restored from a backup", older, nil, func(p *fakePeer, _ string) string { return p.own.Certificate.PEM }},
		{"an older answer to the keyswap is not", nil, older, func(_ *fakePeer, held string) string { return held }},
		{"the one that proves itself wins over the answered one", nil, newer, func(_ *fakePeer, held string) string { return held }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.addPeer("https://a.example", fakePeer{})
			held := w.tenant.Peers[0].Certificate
			if c.own != nil {
				p.own = c.own(w)
			}
			if c.answer != nil {
				p.answers = c.answer(w)
			}
			w.renewal(Options{}).Run(t.Context())
			if got := w.tenant.Peers[0].Certificate; got != c.want(p, held) {
				t.Error("the row has another certificate than it should")
			}
		})
	}
}

func TestReportsStandInTheOrderOfThePeers(t *testing.T) {
	w := newWorld(t)
	var want, got []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("https://p%02d.example", i))
		w.addPeer(want[i], fakePeer{dead: i%7 == 0})
	}
	done := 0
	r := w.renewal(Options{})
	r.Progress = func(n, total int) {
		if done++; n != done || total != 30 {
			t.Errorf("progress %d of %d after %d", n, total, done)
		}
	}
	report := r.Run(t.Context())
	for _, p := range report.Peers {
		got = append(got, p.Wwwroot)
	}
	if !slices.Equal(got, want) || report.Unproven() != 5 {
		t.Errorf("order %v, %d unproven", got, report.Unproven())
	}
}

func TestTheHistoryAfterARenewal(t *testing.T) {
	entry := func(name string) Retired {
		return Retired{Stored: Stored{Certificate: name, PrivateKey: "key of " + name}}
	}
	entries := func(names string) (all []Retired) {
		for _, name := range names {
			all = append(all, entry(string(name)))
		}
		return all
	}
	current := entry("current").Stored
	for _, c := range []struct {
		name        string
		pair        Stored
		history     []Retired
		generations int
		want        []string
	}{
		{"the pair goes in front", current, []Retired{entry("a"), entry("b")}, 3, []string{"current", "a", "b"}},
		{"none falls out, whatever Moodle keeps", current, []Retired{entry("a"), entry("b"), entry("c")}, 3, []string{"current", "a", "b", "c"}},
		{"past twelve the oldest falls out", current, entries("abcdefghijkl"), 3, []string{"current", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}},
		{"no pair yet", Stored{}, []Retired{entry("a")}, 3, []string{"a"}},
		{"a pair that is there already is not kept twice", current, []Retired{entry("a"), entry("current")}, 3, []string{"current", "a"}},
		{"empty entries, which Mahara writes, are dropped", current, []Retired{{}, entry("a")}, 3, []string{"current", "a"}},
		{"one generation keeps all", current, []Retired{entry("a")}, 1, []string{"current", "a"}},
		{"no generation would lose the only copy: one is kept", current, nil, 0, []string{"current"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tenant := Tenant{Pair: c.pair, History: c.history, Generations: c.generations}
			var got []string
			for _, h := range tenant.historyAfterRetiring() {
				got = append(got, h.Certificate)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestADryRunTouchesNothing(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://a.example", fakePeer{})
	w.addPeer("https://b.example", fakePeer{dead: true})
	report := w.renewal(Options{}).Plan(t.Context())
	// One peer does not answer.
	if report.Outcome != Kept || report.Exit != ExitPeers || report.SelfCheck != SelfProven {
		t.Errorf("report %+v", report)
	}
	if report.Peers[0].Outcome != Skipped || report.Peers[1].Outcome != Pending {
		t.Errorf("peers %+v", report.Peers)
	}
	if touched := w.happened("store", "store-peer", "push", "drop", "start-mnet", "lock"); touched != nil {
		t.Errorf("a dry run did %v", touched)
	}
}

// The run makes the rows on both sides before it pushes, also if only one of them is missing.
func TestADryRunDoesNotMissTheRowsThatTheRunMakes(t *testing.T) {
	for _, known := range []bool{false, true} {
		w := newWorld(t)
		peer := w.addPeer(peerA, fakePeer{})
		if !known {
			w.tenant.Peers = nil
		}
		r := w.renewal(Options{Bind: []Link{{Wwwroot: peerA}}})
		r.Network = callers{w}
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) {
			site := peer.site("")
			site.Peers = nil
			return CounterpartOf(site, ownURL), nil
		}
		if report := r.Plan(t.Context()); report.Exit != ExitOK || len(report.Peers) != 1 || report.Peers[0].Outcome != Skipped {
			t.Errorf("known: %v: %+v", known, report)
		}
	}
}

func TestADryRunDoesNotCallASiteThatWouldRepairItself(t *testing.T) {
	w := newWorld(t)
	w.tenant.Pair = storedPair(testPair(t, ownURL, clock))
	report := w.renewal(Options{}).Plan(t.Context())
	if calls := w.happened("prove"); calls != nil || len(report.Warnings) != 2 || !strings.Contains(report.Warnings[1], "its cache would be purged first") {
		t.Errorf("calls %v, warnings %v", calls, report.Warnings)
	}
}

// oneSide counts what is registered on one side of a link.
type oneSide struct {
	w    *world
	got  []Peer
	fail error
}

func (o *oneSide) Connect(_ context.Context, p Peer) (Peer, error) {
	o.got = append(o.got, p)
	if p.ID == 0 {
		p.ID = 99
	}
	return p, o.fail
}

func TestHostsAreConnectedBeforeThePush(t *testing.T) {
	w := newWorld(t)
	w.addPeer("https://new.example", fakePeer{})
	w.addPeer("https://dead.example", fakePeer{dead: true})
	w.tenant.Peers = nil // they exist, but are not peers yet
	near, far := &oneSide{w: w}, &oneSide{w: w}
	dead := &oneSide{w: w}
	report := w.renewal(Options{Bind: []Link{
		{Wwwroot: "https://new.example", Near: near, Far: far},
		{Wwwroot: "https://dead.example", Near: dead},
	}}).Run(t.Context())
	if len(near.got) != 1 || near.got[0].Certificate != w.peers["https://new.example"].own.Certificate.PEM {
		t.Errorf("registered with us: %d hosts", len(near.got))
	}
	if len(far.got) != 1 || far.got[0].Wwwroot != ownURL || far.got[0].Certificate != w.tenant.Pair.Certificate {
		t.Error("the other side did not get our new certificate")
	}
	if want := []string{"connected https://new.example as a peer and bound its services"}; !slices.Equal(report.Warnings, want) {
		t.Errorf("it says %q", report.Warnings)
	}
	if next := report.Peers[1].Next; next != nextConnect {
		t.Errorf("what was not connected: next: %s", next)
	}
	if len(dead.got) != 0 || report.Exit != ExitPeers || len(report.Peers) != 2 {
		t.Errorf("report %+v", report)
	}
	if got := w.happened("push"); !slices.Equal(got, []string{"push https://new.example"}) {
		t.Errorf("pushed %v", got)
	}
}

// Users may refer to any of several deleted rows: a person decides which one is made active. The dry
// run says what the run says.
func TestAHostWithSeveralDeletedRowsIsNotConnected(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "dry run": (*Renewal).Plan} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		w.tenant.Peers, w.tenant.Deleted = nil, []string{peerA, "https://gone.example", peerA + "/"}
		near := &oneSide{w: w, fail: fmt.Errorf("register peer: %w", ErrTwoRows)}
		report := run(w.renewal(Options{Bind: []Link{{Wwwroot: peerA, Near: near}}}), t.Context())
		if p := report.Peers[0]; len(report.Peers) != 1 || p.Outcome != Refused || p.Reason != ReasonTwoRows || !strings.Contains(p.Detail, ErrTwoRows.Error()) || report.Exit != ExitPeers {
			t.Errorf("%s: exit %d, %+v", name, report.Exit, report.Peers)
		}
		if next := report.NextStep(report.Peers[0], true); !strings.HasSuffix(next, "run: renew_mnetkeys …") {
			t.Errorf("%s: next: %s", name, next)
		}
	}
}

// The run and its dry run say of each host what becomes of its row.
func TestARunSaysWhatItHasConnected(t *testing.T) {
	const known, deleted, added = "https://known.example", "https://deleted.example", "https://new.example"
	w := newWorld(t)
	for _, wwwroot := range []string{known, deleted, added} {
		w.addPeer(wwwroot, fakePeer{})
	}
	w.tenant.Peers, w.tenant.Deleted = w.tenant.Peers[:1], []string{deleted}
	var o Options
	for _, wwwroot := range []string{known, deleted, added} {
		o.Bind = append(o.Bind, Link{Wwwroot: wwwroot, Near: &oneSide{w: w}})
	}
	planned := []string{"would bind the services of " + known + ", which is a peer already", "would make the deleted row of " + deleted + " active again and bind its services", "would connect " + added + " as a peer and bind its services"}
	done := []string{"bound the services of " + known + ", which was a peer already", "made the deleted row of " + deleted + " active again and bound its services", "connected " + added + " as a peer and bound its services"}
	if got := w.renewal(o).Plan(t.Context()).Warnings; !slices.Equal(got, planned) {
		t.Errorf("the dry run says %q", got)
	}
	if got := w.renewal(o).Run(t.Context()).Warnings; !slices.Equal(got, done) {
		t.Errorf("the run says %q", got)
	}
}

// A row that is written into another site's tables is a change that somebody may look for.
func TestARunSaysWhatItHasConnectedAtTheHost(t *testing.T) {
	for name, c := range map[string]struct {
		host          Tenant
		planned, done string
	}{
		"a host with a row": {Tenant{Peers: []Peer{NewPeer(ownURL)}}, "", ""},
		"a host with a deleted row": {Tenant{Deleted: []string{ownURL}},
			"would make the deleted row of this site at " + peerA + " active again", "made the deleted row of this site at " + peerA + " active again"},
		"a host without one": {Tenant{}, "would connect this site as a peer at " + peerA, "connected this site as a peer at " + peerA},
	} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		host := newWorld(t).tenant
		host.Wwwroot, host.Own, host.Peers, host.Deleted = peerA, &Peer{Wwwroot: peerA}, c.host.Peers, c.host.Deleted
		r := w.renewal(Options{Bind: []Link{{Wwwroot: peerA, Near: &oneSide{w: w}, Far: &oneSide{w: w}}}})
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(&host, ownURL), nil }
		with := func(first, second string) []string {
			return slices.DeleteFunc([]string{first, second}, func(line string) bool { return line == "" })
		}
		if got, want := r.Plan(t.Context()).Warnings, with("would bind the services of "+peerA+", which is a peer already", c.planned); !slices.Equal(got, want) {
			t.Errorf("%s: the dry run says %q", name, got)
		}
		r = w.renewal(r.Options)
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(&host, ownURL), nil }
		if got, want := r.Run(t.Context()).Warnings, with("bound the services of "+peerA+", which was a peer already", c.done); !slices.Equal(got, want) {
			t.Errorf("%s: the run says %q", name, got)
		}
		failing := &oneSide{w: w, fail: errLost}
		r.Bind = []Link{{Wwwroot: peerA, Near: failing, Far: &oneSide{w: w}}}
		if got, want := r.Run(t.Context()).Warnings, with("", c.done); !slices.Equal(got, want) {
			t.Errorf("%s: the run that fails on its own side says %q", name, got)
		}
	}
}

// The stored certificate of a peer is only replaced by one that the peer has proven; and if that
// could not be stored, the link is not proven.
func TestARowOfAPeerThatIsNotAsItShouldBe(t *testing.T) {
	newer := func(p *fakePeer, w *world) { p.own = testPair(w.t, peerA, clock.AddDate(0, 0, -1)) }
	for _, c := range []struct {
		name    string
		peer    fakePeer
		prepare func(*world, *fakePeer)
		outcome PeerOutcome
		reason  Reason
		detail  string
		called  int // by sealed calls, once its key is stored
		kept    bool
	}{
		{"it answers another site's certificate, and there is none to call it with", fakePeer{foreign: true},
			func(w *world, _ *fakePeer) { w.tenant.Peers[0].Certificate = "" }, Refused, "bad_certificate", "", 0, true},
		{"it answers another site's certificate, and is called with the one in the row", fakePeer{foreign: true, stock: true},
			func(*world, *fakePeer) {}, Healed, "", "the keyswap was refused (bad_certificate)", 1, true},
		{"it answers an older certificate, and is not proven", fakePeer{refuses: "fault_1"},
			func(w *world, p *fakePeer) { p.answers = testPair(w.t, peerA, clock.AddDate(0, 0, -30)) }, Refused, "fault_1",
			"", 1, true},
		{"it has a new key and no old one, and the row cannot be written", fakePeer{stock: true, forgot: true},
			func(w *world, p *fakePeer) { newer(p, w); w.peerErr = errLost }, Refused, "fault_710", "its certificate could not be stored: connection lost", 2, true},
		{"it has a new key and no old one, and the row is changed meanwhile", fakePeer{stock: true, forgot: true},
			func(w *world, p *fakePeer) {
				newer(p, w)
				w.on = func(e string) {
					if e == "store-peer "+peerA {
						w.tenant.Peers[0].Certificate = "an administrator's"
					}
				}
			}, Refused, "fault_710", "its row was changed by another program meanwhile", 2, false},
		{"it is proven under a new certificate, which cannot be stored", fakePeer{},
			func(w *world, p *fakePeer) { newer(p, w); w.peerErr = errLost }, Pending, "not_stored", "its certificate could not be stored: connection lost", 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.addPeer(peerA, c.peer)
			c.prepare(w, p)
			held := w.tenant.Peers[0].Certificate
			report := w.renewal(Options{}).Run(t.Context())
			got := report.Peers[0]
			if got.Outcome != c.outcome || got.Reason != c.reason || got.Detail != c.detail {
				t.Errorf("%+v", got)
			}
			if report.Outcome != Renewed || report.SelfCheck != SelfProven || (report.Exit == ExitOK) != c.outcome.Proven() {
				t.Errorf("%+v", report)
			}
			if calls := w.happened("prove"); len(calls)-3 != c.called { // 3 to the local site
				t.Errorf("calls %v", calls)
			}
			if kept := w.tenant.Peers[0].Certificate == held; kept != c.kept {
				t.Errorf("the row was left: %v", kept)
			}
		})
	}
}

// If the other side has several deleted rows of this site, no row is made on this side either, and
// the dry run says so.
func TestAHostWithSeveralDeletedRowsOfThisSiteIsNotConnected(t *testing.T) {
	for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "dry run": (*Renewal).Plan} {
		w := newWorld(t)
		site := w.addPeer(peerA, fakePeer{}).site(w.tenant.Pair.Certificate)
		w.tenant.Peers, site.Peers, site.Deleted = nil, nil, []string{ownURL, ownURL}
		near := &oneSide{w: w}
		r := w.renewal(Options{Bind: []Link{{Wwwroot: peerA, Near: near, Far: &oneSide{w: w, fail: ErrTwoRows}}}})
		r.Network = callers{w}
		r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(site, ownURL), nil }
		report := run(r, t.Context())
		if p := report.Peers[0]; p.Outcome != Refused || p.Reason != ReasonTwoRows || report.Exit != ExitPeers || len(near.got) != 0 {
			t.Errorf("%s: exit %d, %+v, %d rows made here", name, report.Exit, p, len(near.got))
		}
	}
}

// Two rows of one peer, spelt differently, are one link: it counts, or is ignored, once.
func TestALinkOfTwoRowsIsIgnoredByEitherSpelling(t *testing.T) {
	const capitals = "HTTPS://a.example"
	for _, glob := range []string{peerA, capitals, "https://else.example"} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		second := w.tenant.Peers[0]
		second.ID, second.Wwwroot = 99, capitals
		w.peers[capitals] = w.peers[peerA]
		w.tenant.Peers, w.tenant.Hidden = append([]Peer{second}, w.tenant.Peers...), []string{capitals, peerA}
		report := w.renewal(Options{IgnorePeers: Globs{glob}}).Verify(t.Context())
		want, exit := Ignored, ExitOK
		if glob == "https://else.example" {
			want, exit = Refused, ExitPeers
		}
		if len(report.Peers) != 1 || report.Peers[0].Outcome != want || report.Exit != exit {
			t.Errorf("%s: exit %d, %+v", glob, report.Exit, report.Peers)
		}
	}
}
