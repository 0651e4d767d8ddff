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

func TestAHealthyTenantHasNothingAboveInfo(t *testing.T) {
	c := newClinic(t)
	report, findings := c.diagnose(t)
	if above := codes(findings, SeverityWarning); above != nil {
		t.Errorf("found %v", above)
	}
	want := []string{"info cache_store default_application", "info peers_patched " + ownURL, "info peers_stock " + ownURL}
	if got := codes(findings, SeverityInfo); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if report.Outcome != Kept || report.Exit != ExitOK || report.SelfCheck != SelfProven || report.History != 1 || report.Certificate == nil {
		t.Errorf("report %+v", report)
	}
	for i, p := range []string{peerA, peerB} {
		if got := report.Peers[i]; got.Wwwroot != p || got.Outcome != Accepted {
			t.Errorf("peer %+v", got)
		}
	}
}

// ailment is a problem of a tenant, and what must be found in addition to the findings of a healthy
// one.
type ailment struct {
	name    string
	arrange func(*clinic)
	want    []string // above info, and those of info that begin with "info"
	exit    int
	called  int // peers
}

func TestWhatIsWrongWithTheTenant(t *testing.T) {
	own := func(finding string) []string { return []string{finding + " " + ownURL} }
	diagnoseAll(t, []ailment{
		{"MNet is off", func(c *clinic) { c.tenant.DispatcherMode = "off" }, own("error own_mnet_off"), ExitNotRenewed, 0},
		{"MNet was never started", func(c *clinic) { c.tenant.DispatcherMode, c.tenant.Own, c.tenant.Pair = "", nil, Stored{} },
			[]string{"error own_mnet_off " + ownURL, "error own_row_missing " + ownURL}, ExitNotRenewed, 0},
		{"it has no row of its own", func(c *clinic) { c.tenant.Own = nil }, own("error own_row_missing"), ExitNotRenewed, 0},
		{"it is a copy of another site", func(c *clinic) { c.tenant.Own.Wwwroot = "https://origin.example" },
			own("error own_row_other_site"), ExitNotRenewed, 0},
		{"its row has a slash at the end", func(c *clinic) { c.tenant.Own.Wwwroot += "/" }, own("warning own_row_spelling"), ExitNotRenewed, 2},
		{"its row is in capitals", func(c *clinic) { c.tenant.Own.Wwwroot = "https://OWN.example" }, own("warning own_row_spelling"), ExitNotRenewed, 2},
		{"its row has another certificate", func(c *clinic) { c.tenant.Own.Certificate = c.tenant.History[0].Certificate },
			own("error own_row_certificate"), ExitLocalSite, 0},
		{"its row has another expiry", func(c *clinic) { c.tenant.Own.Expires += 3600 }, own("warning own_row_expiry"), ExitNotRenewed, 2},
		{"it has no key", func(c *clinic) { c.tenant.Pair = Stored{} }, own("error own_key_missing"), ExitNotRenewed, 0},
		{"its private key is garbage", func(c *clinic) { c.tenant.Pair.PrivateKey = "garbage" }, own("error own_key_unreadable"), ExitNotRenewed, 0},
		{"its private key is another's", func(c *clinic) { c.tenant.Pair.PrivateKey = c.tenant.History[0].PrivateKey },
			own("error own_key_mismatch"), ExitNotRenewed, 0},
		{"its key has expired", func(c *clinic) { c.own(testPair(c.t, ownURL, clock.AddDate(0, 0, -29))) }, own("error own_key_expired"), ExitNotRenewed, 0},
		{"its row says that its key has expired", func(c *clinic) { c.tenant.Own.Expires = clock.Unix() },
			[]string{"error own_key_expired " + ownURL, "warning own_row_expiry " + ownURL}, ExitNotRenewed, 0},
		{"its key expires within three days", func(c *clinic) { c.own(testPair(c.t, ownURL, clock.AddDate(0, 0, -26))) },
			own("warning own_key_expiring"), ExitNotRenewed, 2},
		{"its certificate carries another name", func(c *clinic) { c.own(testPair(c.t, "https://old.example", clock.AddDate(0, 0, -1))) },
			own("error own_certificate_other_name"), ExitNotRenewed, 2},
		{"it may not write", func(c *clinic) { c.rightsErr = errors.New("UPDATE denied") }, own("error own_rights"), ExitNotRenewed, 2},
	})
}

func TestWhatIsWrongWithTheOwnSite(t *testing.T) {
	own := func(finding string) []string { return []string{finding + " " + ownURL} }
	private := func(c *clinic) { c.addresses[ownURL] = "127.0.1.1" }
	diagnoseAll(t, []ailment{
		{"it uses another key than the stored one", func(c *clinic) { c.cached = &c.tenant.History[0].Stored }, own("error own_key_not_used"), ExitLocalSite, 0},
		{"it can do no RC4", func(c *clinic) { c.rc4less = true }, own("error own_no_rc4"), ExitNotRenewed, 2},
		{"it cannot be reached from here", func(c *clinic) { c.unreachable = true }, own("error own_unreachable"), ExitNotRenewed, 2},
		{"its clock is ahead", func(c *clinic) { c.clockAhead = true }, own("error own_clock"), ExitNotRenewed, 2},
		{"it is at a private address, and its peers are not", private, own("info own_address_private"), ExitOK, 2},
		{"it is, and a peer cannot call back", func(c *clinic) { private(c); c.fails("fault_710", false) },
			[]string{"error peer_fault_710 " + peerA, "warning own_address_private " + ownURL}, ExitPeers, 2},
		{"everything is at private addresses", func(c *clinic) { private(c); c.addresses[peerA], c.addresses[peerB] = "10.0.0.2", "fe80::3" }, nil, ExitOK, 2},
	})
}

func TestWhatIsWrongWithTheHistory(t *testing.T) {
	own := func(finding string) []string { return []string{finding + " " + ownURL} }
	daysAgo := func(c *clinic, days int) *envelope.KeyPair { return testPair(c.t, ownURL, clock.AddDate(0, 0, -days)) }
	diagnoseAll(t, []ailment{
		{"it is empty, and no peer needs it", func(c *clinic) { c.tenant.History = nil }, own("info own_history_empty"), ExitOK, 2},
		{"it is empty, and a peer needs it", func(c *clinic) { c.tenant.History = nil; c.fails("fault_710", false) },
			[]string{"error peer_fault_710 " + peerA, "warning own_history_empty " + ownURL}, ExitPeers, 2},
		{"an entry cannot be read", func(c *clinic) { c.tenant.History[0].PrivateKey = "garbage" }, own("warning own_history_unreadable"), ExitNotRenewed, 2},
		{"it is longer than the generations", func(c *clinic) { c.tenant.Generations = 1; c.retire(daysAgo(c, 76)) }, own("info own_history_long"), ExitOK, 2},
		{"an older key is before a younger one", func(c *clinic) { c.retire(daysAgo(c, 30)) }, nil, ExitOK, 2},
		{"a key that was undone is at the end", func(c *clinic) { c.retire(daysAgo(c, 1)) }, nil, ExitOK, 2},
	})
}

// A new site has an empty history, and a peer may have no certificate of it at all: that says nothing
// of a lost key.
func TestAnEmptyHistoryIsNotSaidToHaveLostAKey(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{refuses: ReasonCannotOpen})
	found := w.renewal(Options{}).Diagnose(t.Context()).Findings
	at := slices.IndexFunc(found, func(f Finding) bool { return f.Code == "own_history_empty" })
	if at < 0 || !strings.Contains(found[at].Message, "if ") || strings.Contains(found[at].Message, "a peer has another certificate") {
		t.Errorf("%+v", found)
	}
}

// What a member's web server shows of the member's own key says nothing of the row that it has of
// this site.
func TestAMemberThatDoesNotUseItsKeyNeedsNoHistoryOfThisSite(t *testing.T) {
	w := newWorld(t)
	w.tenant.History = nil
	r := w.beside(w.addPeer(peerA, fakePeer{refuses: ReasonCannotOpen}), func(*Tenant) {})
	r.Network = staleMember{callers{w}, ReasonCannotOpen}
	report := r.Diagnose(t.Context())
	if p := report.Peers[0]; p.Outcome != Refused || p.Reason != ReasonCannotOpen {
		t.Errorf("%+v", p)
	}
	if slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code == "own_history_empty" && f.Severity != SeverityInfo }) {
		t.Errorf("%+v", report.Findings)
	}
}

func TestWhatIsWrongWithTheCache(t *testing.T) {
	store := func(state CacheState) func(*clinic) {
		return func(c *clinic) {
			c.stores = append(c.stores, CacheStore{Name: "fast", Plugin: "x", State: state, Problem: "broken", Advice: "mend it"})
		}
	}
	diagnoseAll(t, []ailment{
		{"a store more is fine", func(c *clinic) {
			c.stores = append(c.stores, CacheStore{Name: "fast", Plugin: "redis", State: CacheReady})
		},
			[]string{"info cache_store fast"}, ExitOK, 2},
		{"a store in the memory of the web server", store(CacheManual), []string{"warning cache_by_hand fast"}, ExitNotRenewed, 2},
		{"the same, which a hook clears", store(CacheHooked), []string{"info cache_store fast"}, ExitOK, 2},
		{"a Redis that is down", store(CacheUnreachable), []string{"error cache_unreachable fast"}, ExitNotRenewed, 2},
		{"a directory of another user", store(CacheNotWritable), []string{"error cache_not_writable fast"}, ExitNotRenewed, 2},
		{"a directory that is not mounted", store(CacheNotMounted), []string{"error cache_not_mounted fast"}, ExitNotRenewed, 2},
		{"a configuration that cannot be read", func(c *clinic) { c.stores, c.storesErr = nil, errors.New("config.php:3: surprise") },
			[]string{"error cache_unknown " + ownURL}, ExitNotRenewed, 2},
	})
}

func TestWhatIsWrongWithARowOfAPeer(t *testing.T) {
	a := func(finding string) []string { return []string{finding + " " + peerA} }
	expired := func(c *clinic) {
		old := testPair(c.t, peerA, clock.AddDate(0, 0, -30))
		c.peer().Certificate, c.peer().Expires = old.Certificate.PEM, old.Certificate.NotAfter.Unix()
	}
	diagnoseAll(t, []ailment{
		{"its certificate has expired, and it shows no newer one", expired, a("warning peer_certificate_expired"), ExitPeers, 1},
		{"its certificate has expired, and it has renewed", func(c *clinic) { expired(c); c.shown[peerA] = c.peers[peerA].own.Certificate },
			[]string{"error peer_fault_7025 " + peerA, "warning peer_certificate_expired " + peerA}, ExitPeers, 2},
		{"its certificate is another site's", func(c *clinic) {
			other := testPair(c.t, "https://other.example", clock).Certificate
			c.peer().Certificate = other.PEM
			c.proofs[peerA] = Proof{Certificate: other}
		}, a("warning peer_certificate_other_name"), ExitPeers, 2},
		{"there is no certificate of it", func(c *clinic) { c.peer().Certificate = "" }, a("error peer_certificate_missing"), ExitPeers, 1},
		{"its certificate is garbage", func(c *clinic) { c.peer().Certificate = "garbage" }, a("error peer_certificate_unreadable"), ExitPeers, 1},
		{"its wwwroot ends with a slash", func(c *clinic) { c.rename(peerA + "/") },
			[]string{"error peer_trailing_slash " + peerA + "/"}, ExitPeers, 2},
		{"its wwwroot is no address", func(c *clinic) { c.rename("a.example") }, []string{"error peer_wwwroot a.example"}, ExitPeers, 1},
		{"its wwwroot cannot be taken apart", func(c *clinic) { c.rename("https://[::1") }, []string{"error peer_wwwroot https://[::1"}, ExitPeers, 1},
		{"two rows are of one site", func(c *clinic) {
			second := *c.peer()
			c.rename("https://A.example")
			c.peer().ID = 99
			c.tenant.Peers = append(c.tenant.Peers, second)
		}, []string{"warning peer_certificate_other_name https://A.example", "warning peer_duplicate https://A.example"}, ExitPeers, 3},
		{"a deleted row has its wwwroot", func(c *clinic) { c.tenant.Hidden = []string{peerA} },
			[]string{"error peer_duplicate " + peerA}, ExitPeers, 2},
		{"it is not proven, and the key history is full", func(c *clinic) {
			c.fails(ReasonTimeout, true)
			c.world.retire(MaxHistory - len(c.tenant.History))
		}, []string{"warning peer_timeout " + peerA, "warning own_history_long " + ownURL}, ExitPeers, 2},
		{"another row has the wwwroot of this site", func(c *clinic) { c.tenant.Namesakes = []int64{8} },
			[]string{"warning peer_is_own_site " + ownURL}, ExitPeers, 2},
		{"its application has no server", func(c *clinic) { c.peer().Application, c.peer().ServerURL = "", "" }, a("error peer_application"), ExitPeers, 1},
		{"its application is not known", func(c *clinic) { c.peer().Application = "drupal" }, a("warning peer_application"), ExitPeers, 2},
		{"TLS is not verified", func(c *clinic) { c.peer().SSLVerification = 0 }, []string{"warning peers_tls_unverified " + ownURL}, ExitPeers, 2},
	})
}

func TestWhatASealedCallFinds(t *testing.T) {
	a := func(finding string) []string { return []string{finding + " " + peerA} }
	diagnoseAll(t, []ailment{
		{"it cannot call back", func(c *clinic) { c.fails("fault_710", false) }, a("error peer_fault_710"), ExitPeers, 2},
		{"it does not know us", func(c *clinic) { c.fails("unknown_to_peer", false) }, a("error peer_unknown_to_peer"), ExitPeers, 2},
		{"its clock is ahead", func(c *clinic) { c.fails("clock", false) }, a("error peer_clock"), ExitPeers, 2},
		{"it is down", func(c *clinic) { c.fails("connect", true) }, a("warning peer_connect"), ExitPeers, 2},
		{"it is in maintenance", func(c *clinic) { c.fails("http_503", true) }, a("warning peer_http_503"), ExitPeers, 2},
		{"it answers an unknown fault", func(c *clinic) { c.fails("fault_4711", false) }, a("error peer_fault_4711"), ExitPeers, 2},
		{"it has healed", func(c *clinic) { c.proofs[peerA] = Proof{Certificate: c.peers[peerA].own.Certificate, Healed: true} },
			a("info peer_healed"), ExitOK, 2},
		{"it uses a newer certificate", func(c *clinic) {
			c.proofs[peerA] = Proof{Certificate: testPair(c.t, peerA, clock).Certificate, Healed: true}
		}, a("error peer_fault_7025"), ExitPeers, 1},
		{"it is not known whether it takes a forced key", func(c *clinic) { delete(c.forced, peerA) },
			[]string{"info peers_mode_unknown " + ownURL}, ExitOK, 2},
		{"an error of the tenant counts more than one of a peer", func(c *clinic) { c.fails("clock", false); c.clockAhead = true },
			[]string{"error own_clock " + ownURL, "error peer_clock " + peerA}, ExitNotRenewed, 2},
	})
}

func diagnoseAll(t *testing.T, cases []ailment) {
	t.Helper()
	usual := []string{"info cache_store default_application", "info peers_patched " + ownURL, "info peers_stock " + ownURL}
	healthy := newClinic(t)
	for _, a := range cases {
		t.Run(a.name, func(t *testing.T) {
			c := healthy.copy(t)
			a.arrange(c)
			report, findings := c.diagnose(t)
			got := slices.DeleteFunc(codes(findings, SeverityInfo), func(s string) bool { return slices.Contains(usual, s) })
			if !slices.Equal(got, a.want) {
				t.Errorf("found %q, want %q", got, a.want)
			}
			if report.Exit != a.exit || report.Outcome != Kept || report.Err != nil {
				t.Errorf("exit %d, outcome %s, error %v; want exit %d", report.Exit, report.Outcome, report.Err, a.exit)
			}
			called := 0
			for _, p := range report.Peers {
				if p.Attempts > 0 || p.Outcome.Proven() {
					called++
				}
			}
			if called != a.called || len(report.Peers) != len(c.tenant.Peers) {
				t.Errorf("%d of %d peers were called, want %d", called, len(report.Peers), a.called)
			}
		})
	}
}

// A peer that is added again is another row, and users who refer to the old one could not log in.
func TestNoRowThatUsersMayReferToIsToBeDeleted(t *testing.T) {
	healthy := newClinic(t)
	for _, wwwroot := range []string{peerA + "/", "a.example", "https://[::1", peerB, "https://B.example"} {
		c := healthy.copy(t)
		c.rename(wwwroot)
		_, findings := c.diagnose(t)
		judged := 0
		for _, f := range findings {
			if f.Subject != wwwroot {
				continue
			}
			if judged++; strings.Contains(strings.ToLower(f.Next), "delete") && !strings.Contains(f.Next, "user.mnethostid") {
				t.Errorf("%s: %s: next: %s", wwwroot, f.Code, f.Next)
			}
		}
		if judged == 0 {
			t.Errorf("%s: no finding", wwwroot)
		}
	}
}

func TestATenantThatCannotBeReadIsAFinding(t *testing.T) {
	c := newClinic(t)
	c.readErr = errors.New("access denied")
	report, findings := c.diagnose(t)
	if got := codes(findings, SeverityInfo); !slices.Equal(got, []string{"error own_unreadable "}) {
		t.Errorf("found %v", got)
	}
	if report.Outcome != Failed || !errors.Is(report.Err, c.readErr) || report.Exit != ExitNotRenewed {
		t.Errorf("report %+v", report)
	}
}

// Only proven peers are asked for the force: the question is harmless there.
func TestOnlyProvenPeersAreAskedForTheForce(t *testing.T) {
	c := newClinic(t)
	c.fails("unknown_to_peer", false)
	_, findings := c.diagnose(t)
	if got := c.happened("probe"); !slices.Equal(got, []string{"probe " + peerB}) {
		t.Errorf("asked %v", got)
	}
	for _, f := range findings {
		if strings.HasPrefix(f.Code, "peers_") && slices.Contains(f.Peers, peerA) {
			t.Errorf("%s says something of a peer that was not asked", f.Code)
		}
	}
}

func TestManyPeersOfOneKindAreOneFinding(t *testing.T) {
	c := newClinic(t)
	c.tenant.Peers = c.tenant.Peers[:1]
	var want []string
	for i := range 60 {
		p := *c.peer()
		p.ID, p.Wwwroot = int64(100+i), fmt.Sprintf("http://p%02d.example", i)
		c.proofs[p.Wwwroot], c.forced[p.Wwwroot] = Proof{Certificate: certificateOf(p)}, ForcedIgnored
		c.tenant.Peers, want = append(c.tenant.Peers, p), append(want, p.Wwwroot)
	}
	_, findings := c.diagnose(t)
	for _, code := range []string{"peers_stock", "peers_http"} {
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Code == code })
		if at < 0 || !slices.Equal(findings[at].Peers, want) || findings[at].Detail != "60 of 61 peers" {
			t.Errorf("%s is not one finding on all of them, in order", code)
		}
	}
}

func TestADiagnosisThatIsInterruptedSaysSo(t *testing.T) {
	c := newClinic(t)
	r := c.renewal(Options{})
	r.Store, r.Network, r.Cache = c, c, c
	stop := errors.New("stopped by a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	c.on = func(event string) {
		if event == "prove "+peerB {
			cancel(stop)
		}
	}
	c.peers[peerB].refuses = "timeout"
	report := r.Diagnose(ctx)
	findings := report.Findings
	if p := report.Peers[1]; p.Outcome != Pending || !strings.Contains(p.Detail, stop.Error()) {
		t.Errorf("peer %+v", p)
	}
	if !slices.ContainsFunc(findings, func(f Finding) bool { return f.Subject == peerB && strings.Contains(f.Detail, stop.Error()) }) {
		t.Errorf("findings %v", findings)
	}
}

func TestEveryReasonHasANextStep(t *testing.T) {
	for _, reason := range []Reason{"http_301", "http_401", "http_404", "http_503", "fault_1", ""} {
		if reason.NextStep(false) == "" || reason.NextStep(true) == "" {
			t.Errorf("none for %q", reason)
		}
	}
}

// The peer asks the local site for the key, so nothing at the peer helps while that site is ill.
func TestTheAdviceOnAPeerBeginsWithALocalSiteThatIsIll(t *testing.T) {
	peer := PeerReport{Outcome: Refused, Reason: ReasonFault710}
	for check, begins := range map[SelfCheck]string{
		SelfNoRC4:       "begin with the local site: enable OpenSSL's legacy provider",
		SelfUnreachable: "the local site did not answer",
		SelfProven:      "correct DNS, firewall or TLS until the peer's server",
	} {
		report := &TenantReport{SelfCheck: check}
		if got := report.NextStep(peer, true); !strings.HasPrefix(got, begins) {
			t.Errorf("%s: %q", check, got)
		}
	}
	c := newClinic(t)
	c.rc4less = true
	c.fails(ReasonFault710, false)
	_, findings := c.diagnose(t)
	if i := slices.IndexFunc(findings, func(f Finding) bool { return f.Code == "peer_fault_710" }); i < 0 || !strings.HasPrefix(findings[i].Next, "begin with the local site") {
		t.Errorf("findings %+v", findings)
	}
}

// The expiry that counts for Moodle is the one in the row.
func TestAKeyThatIsNearlyOverIsNotCalled(t *testing.T) {
	c := newClinic(t)
	c.tenant.Own.Expires = clock.Add(30 * time.Second).Unix()
	report, _ := c.diagnose(t)
	if calls := c.happened("prove", "probe"); calls != nil || report.SelfCheck != SelfSkipped {
		t.Errorf("did %v, local site %s", calls, report.SelfCheck)
	}
}

// hinting is an error that says what to do.
type hinting struct{ error }

func (hinting) Hint() string { return "name the server that takes writes" }

// The error nearest to the fault knows best what to do about it.
func TestTheAdviceOfAFault(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"an error that says what to do", fmt.Errorf("check: %w", hinting{errors.New("read-only")}), "name the server that takes writes"},
		{"an error that does not", errors.New("UPDATE denied"), "give the account of config.php the right to write"},
	} {
		clinic := newClinic(t)
		clinic.rightsErr = c.err
		_, findings := clinic.diagnose(t)
		if f := findings[0]; f.Code != "own_rights" || !strings.HasPrefix(f.Next, c.want) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// As long as the mapped stores are not ready, Moodle uses another: an operator must know that.
func TestAFallbackStoreIsCalledOne(t *testing.T) {
	c := newClinic(t)
	c.stores[0].Fallback = true
	_, findings := c.diagnose(t)
	at := slices.IndexFunc(findings, func(f Finding) bool { return f.Code == "cache_store" })
	if at < 0 || !strings.HasSuffix(findings[at].Detail, "file at /data/cache, used only while no other store is ready") {
		t.Errorf("%+v", findings)
	}
}

// Without a network that knows where sites are, only the findings on addresses are missing.
func TestADiagnosisWithoutAddresses(t *testing.T) {
	c := newClinic(t)
	r := c.renewal(Options{})
	r.Store, r.Cache = c, c
	report := r.Diagnose(t.Context())
	findings := report.Findings
	if got := codes(findings, SeverityInfo); !slices.Equal(got, []string{"info cache_store default_application"}) || report.Unproven() > 0 || len(report.Peers) != 2 {
		t.Errorf("found %v: %+v", got, report)
	}
}

// A --node that is right is not taken for the web server of another site, whatever is wrong there.
func TestDoctorWithANodeSaysOfAStaleKeyWhatItSaysWithoutOne(t *testing.T) {
	for _, nodes := range [][]string{nil, {"10.0.0.1:80"}, {"10.0.0.1:80", "10.0.0.2:80"}} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{})
		stale := storedPair(testPair(t, ownURL, clock.AddDate(0, 0, -30)))
		w.cached, w.sticky = &stale, true
		got := w.renewal(Options{Nodes: nodes, SelfCheck: SelfCheckAuto}).Diagnose(t.Context())
		if got.Exit != ExitLocalSite || !slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "own_key_not_used" && f.Next != "" }) {
			t.Errorf("%v: exit %d, %+v", nodes, got.Exit, got.Findings)
		}
	}
}

// Moodle marks a row as deleted if its log refers to it, and finds it by its wwwroot all the same
// (mnet/peer.php, delete and set_wwwroot): it would confuse it with the one that is kept.
func TestDoctorAdvisesAnUnusedWwwrootForASecondRow(t *testing.T) {
	c := newClinic(t)
	second := *c.peer()
	c.rename(peerA + "/")
	c.peer().ID = 99
	c.tenant.Peers = append(c.tenant.Peers, second)
	_, findings := c.diagnose(t)
	at := slices.IndexFunc(findings, func(f Finding) bool { return f.Code == "peer_duplicate" })
	if at < 0 || !strings.Contains(findings[at].Next, "unused wwwroot") || strings.Contains(findings[at].Next, "in Moodle (Networking, peers)") {
		t.Errorf("%+v", findings)
	}
}

// Of two rows of one peer, one with a slash, Moodle finds the other.
func TestARowWithASlashBesideTheRightOneIsNoLinkThatFails(t *testing.T) {
	c := newClinic(t)
	right, slash := c.tenant.Peers[0], c.tenant.Peers[0]
	slash.ID, slash.Wwwroot = 99, right.Wwwroot+"/"
	for _, rows := range [][]Peer{{slash}, {right, slash}} {
		d := &diagnosis{Renewal: c.renewal(Options{}), tenant: &Tenant{Peers: rows}}
		d.peerRow(slash)
		at := slices.IndexFunc(d.findings, func(f Finding) bool { return f.Code == "peer_trailing_slash" })
		if at < 0 || (d.findings[at].Severity == SeverityError) != (len(rows) == 1) {
			t.Errorf("%d rows: %+v", len(rows), d.findings)
		}
	}
}
