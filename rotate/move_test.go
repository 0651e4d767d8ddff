package rotate

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
)

const oldURL = "https://old.example"

// movedFleet is an array whose first site has the wwwroot oldURL everywhere but in config.php. It
// knows a peer outside, which does not answer.
func movedFleet(t *testing.T, n int) *fleet {
	f := newFleet(t, n)
	s := f.sites[0]
	pair := testPair(t, oldURL, clock.AddDate(0, 0, -20))
	s.tenant.Pair = storedPair(pair)
	s.tenant.Own = &Peer{ID: 1, Wwwroot: oldURL, Certificate: pair.Certificate.PEM, Expires: pair.Certificate.NotAfter.Unix()}
	cached := s.tenant.Pair
	s.cached = &cached
	for _, other := range f.sites[1:] {
		row := other.rows[s.tenant.Wwwroot]
		row.certificate = pair.Certificate.PEM
		delete(other.rows, s.tenant.Wwwroot)
		other.rows[oldURL] = row
	}
	return f
}

func (s *fleetSite) knowOutsider(wwwroot string) {
	s.rows[wwwroot] = &fleetRow{}
	s.order = append(s.order, wwwroot)
	slices.Sort(s.order)
}

// move moves the first site of the fleet.
func (f *fleet) move(from string) (TenantReport, int) {
	f.events = nil
	a := f.array(ArrayOptions{}, 0)
	a.Template.MovedFrom = from
	code := a.Run(context.Background())
	return f.reports[f.sites[0].tenant.Wwwroot], code
}

// hasMoved checks the site's own row and its rows at the members.
func (f *fleet) hasMoved(t *testing.T) {
	t.Helper()
	s := f.sites[0]
	if own := s.tenant.Own; own.Wwwroot != s.tenant.Wwwroot || own.Certificate != s.tenant.Pair.Certificate || mustParse(own.Certificate).CheckWwwroot(s.tenant.Wwwroot) != nil {
		t.Errorf("the local host row is of %s, its certificate of %s", own.Wwwroot, mustParse(own.Certificate).SubjectAltName)
	}
	for _, other := range f.sites[1:] {
		row := other.rows[s.tenant.Wwwroot]
		if row == nil || row.certificate != s.tenant.Pair.Certificate || other.rows[oldURL] != nil {
			t.Errorf("%s: row of the new wwwroot %v, of the old one %v", other.tenant.Wwwroot, row, other.rows[oldURL])
		}
	}
}

func TestAMoveRenewsForTheNewNameAndRenamesTheRowsOfTheArray(t *testing.T) {
	f := movedFleet(t, 4)
	before := f.sites[0].tenant.Pair
	r, code := f.move(oldURL)
	if code != ExitOK || r.Outcome != Renewed || r.SelfCheck != SelfProven || links(r) != "accepted database" {
		t.Fatalf("exit code %d: %+v", code, r)
	}
	f.hasMoved(t)
	if s := f.sites[0]; len(s.tenant.History) != 1 || s.tenant.History[0].Stored != before {
		t.Error("the key of the old name is not in the history")
	}
	if r.Moved == nil || r.Moved.From != oldURL || r.Moved.Message != "" {
		t.Errorf("moved: %+v", r.Moved)
	}
}

func TestAMoveThatIsRepeatedIsAPush(t *testing.T) {
	f := movedFleet(t, 3)
	f.move(oldURL)
	f.byURL[oldURL] = f.sites[0] // it answers there as well, under its new name
	pair := f.sites[0].tenant.Pair
	if r, code := f.move(oldURL); code != ExitOK || r.Outcome != Kept || f.sites[0].tenant.Pair != pair || f.count("store "+f.sites[0].tenant.Wwwroot) != 0 {
		t.Errorf("exit code %d: %+v", code, r)
	}
	f.hasMoved(t)
}

// A run that was killed before it told the members, or whose local host row an administrator has
// corrected already.
func TestAMoveIsFinishedByTheNext(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave func(f *fleet)
		want  Outcome
	}{
		{"killed after it stored the key, before it purged the cache", func(f *fleet) {
			s := f.sites[0]
			cached := s.tenant.Pair
			next := testPair(f.t, s.tenant.Wwwroot, clock)
			s.tenant.History = []Retired{{Stored: s.tenant.Pair, Expires: s.tenant.Own.Expires}}
			s.tenant.Pair = storedPair(next)
			s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot, Certificate: next.Certificate.PEM, Expires: next.Certificate.NotAfter.Unix()}
			s.cached = &cached
		}, Kept},
		{"one member was not reached", func(f *fleet) {
			f.sites[2].down = true
			if r, code := f.move(oldURL); code != ExitPeers || !strings.HasSuffix(r.Peers[1].Next, "renew_mnetkeys push") { // which package output completes to the same move
				f.t.Errorf("exit code %d: %+v", code, r)
			}
			f.sites[2].down = false
		}, Kept},
		{"its key has expired meanwhile", func(f *fleet) {
			s := f.sites[0]
			pair := testPair(f.t, oldURL, clock.AddDate(0, 0, -60))
			s.tenant.Pair = storedPair(pair)
			s.tenant.Own.Certificate, s.tenant.Own.Expires = pair.Certificate.PEM, pair.Certificate.NotAfter.Unix()
			s.cached = nil
			for _, other := range f.sites[1:] {
				other.rows[oldURL].certificate = pair.Certificate.PEM
			}
		}, Renewed},
		{"Moodle has renewed by itself, which gives its row the new wwwroot", func(f *fleet) {
			s := f.sites[0]
			next := testPair(f.t, s.tenant.Wwwroot, clock)
			s.tenant.History = []Retired{{Stored: s.tenant.Pair, Expires: s.tenant.Own.Expires}}
			s.tenant.Pair, s.cached = storedPair(next), nil
			s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot, Certificate: next.Certificate.PEM, Expires: next.Certificate.NotAfter.Unix()}
		}, Kept},
		{"the row was corrected by SQL", func(f *fleet) { f.sites[0].tenant.Own.Wwwroot = f.sites[0].tenant.Wwwroot }, Renewed},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := movedFleet(t, 3)
			f.t = t
			c.leave(f)
			if r, code := f.move(oldURL); code != ExitOK || r.Outcome != c.want {
				t.Errorf("exit code %d: %+v", code, r)
			}
			f.hasMoved(t)
		})
	}
}

func TestAMoveThatTheLocalSiteDoesNotFollowIsUndoneWithTheOldName(t *testing.T) {
	for name, killed := range map[string]bool{"by the run itself": false, "by the run after one that was killed": true} {
		t.Run(name, func(t *testing.T) {
			f := movedFleet(t, 2)
			s := f.sites[0]
			s.sticky = true
			before := *s.tenant.Own
			pair := s.tenant.Pair
			if killed {
				next := testPair(t, s.tenant.Wwwroot, clock)
				s.tenant.History, s.tenant.Pair = []Retired{{Stored: pair, Expires: before.Expires}}, storedPair(next)
				s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot, Certificate: next.Certificate.PEM, Expires: next.Certificate.NotAfter.Unix()}
			}
			r, code := f.move(oldURL)
			if code != ExitNotRenewed || r.Outcome != Undone || r.SelfCheck != SelfProven || !errors.Is(r.Err, ErrUndone) {
				t.Errorf("exit code %d: %+v", code, r)
			}
			if s.tenant.Pair != pair || s.tenant.Own.Wwwroot != oldURL || s.tenant.Own.Certificate != before.Certificate {
				t.Errorf("the row is of %s", s.tenant.Own.Wwwroot)
			}
			if f.sites[1].rows[oldURL] == nil || f.sites[1].rows[oldURL].certificate != before.Certificate {
				t.Error("a member was told")
			}
			s.sticky = false
			if _, code := f.move(oldURL); code != ExitOK {
				t.Errorf("the next move: exit code %d", code)
			}
			f.hasMoved(t)
		})
	}
}

// A push does not know the old wwwroot, so it must not restore a key of that name.
func TestAPushDoesNotRestoreAKeyOfAnotherName(t *testing.T) {
	f := movedFleet(t, 2)
	f.move(oldURL)
	s := f.sites[0]
	stored, old := s.tenant.Pair, s.tenant.History[0].Stored
	s.sticky, s.cached = true, &old
	if code := f.array(ArrayOptions{PushOnly: true}, 0).Run(t.Context()); code != ExitLocalSite || s.tenant.Pair != stored {
		t.Errorf("exit code %d, the pair was replaced: %v", code, s.tenant.Pair != stored)
	}
}

func TestWhatMustStopAMove(t *testing.T) {
	for name, c := range map[string]struct {
		from    string
		prepare func(f *fleet)
		want    string
	}{
		"the row has another wwwroot":           {"https://wrong.example", func(*fleet) {}, "belongs to " + oldURL},
		"the old wwwroot is that of config.php": {"https://t00.example/", func(*fleet) {}, "--from is the wwwroot that the site has in config.php"},
		"the row has the new one, and no key was made for the old one": {"https://wrong.example", func(f *fleet) { f.move(oldURL) },
			"has the wwwroot https://t00.example already, and none of its keys was made for https://wrong.example"},
		"its database has another row of the new wwwroot": {oldURL, func(f *fleet) { f.sites[0].rows["https://t00.example"] = &fleetRow{deleted: true} },
			"has another mnet_host row (id 99) with the wwwroot https://t00.example"},
		"its database has a row of the old wwwroot, to which an undone move would return": {oldURL, func(f *fleet) {
			f.move(oldURL)
			f.sites[0].rows[oldURL] = &fleetRow{}
		}, "has another mnet_host row (id 99) with the wwwroot https://old.example"},
		"a site answers at the old wwwroot of one that has moved": {oldURL, func(f *fleet) {
			f.move(oldURL)
			f.byURL[oldURL] = f.sites[2]
		}, "a site with MNet still answers at https://old.example"},
		"a site answers at the old wwwroot": {oldURL, func(f *fleet) { f.byURL[oldURL] = f.sites[0] }, "a site with MNet still answers at https://old.example"},
	} {
		t.Run(name, func(t *testing.T) {
			f := movedFleet(t, 3)
			c.prepare(f)
			row, pair := f.sites[0].tenant.Own.Wwwroot, f.sites[0].tenant.Pair
			for _, way := range []func(*Array) int{
				func(a *Array) int { return a.Run(t.Context()) }, func(a *Array) int { return a.Plan(t.Context()) }} {
				f.events = nil
				a := f.array(ArrayOptions{}, 0)
				a.Template.MovedFrom = c.from
				code := way(a)
				if r := f.reports["https://t00.example"]; code != ExitUsage || !strings.Contains(r.Error, c.want) || HintOf(r.Err) == "" {
					t.Errorf("exit code %d: %+v", code, r)
				}
			}
			if f.sites[0].tenant.Own.Wwwroot != row || f.sites[0].tenant.Pair != pair || f.count("hold https://t01.example") > 0 {
				t.Errorf("changed: %q", f.events)
			}
		})
	}
}

// A copy is often made where the original cannot be reached.
func TestAMoveNeedsToKnowWhatIsAtTheOldWwwroot(t *testing.T) {
	for name, c := range map[string]struct {
		failure Failure
		moves   bool
	}{
		"no such name":            {Failure{Reason: ReasonDNS, Err: &net.DNSError{IsNotFound: true}}, true},
		"no answer of the DNS":    {Failure{Reason: ReasonDNS, Err: &net.DNSError{IsTemporary: true}}, false},
		"nobody listens":          {Failure{Reason: ReasonConnect, Refused: true}, true},
		"no route":                {Failure{Reason: ReasonConnect, NoRoute: true}, false},
		"a firewall":              {Failure{Reason: ReasonTimeout}, false},
		"no TLS":                  {Failure{Reason: ReasonTLS}, false},
		"a login":                 {Failure{Reason: ReasonHTTP401}, false},
		"a list of addresses":     {Failure{Reason: ReasonHTTP403}, false},
		"too many calls":          {Failure{Reason: "http_429"}, false},
		"maintenance":             {Failure{Reason: "http_503"}, false},
		"a redirect":              {Failure{Reason: "http_301"}, true},
		"no such page":            {Failure{Reason: "http_404"}, true},
		"a page of somebody else": {Failure{Reason: ReasonBadCertificate}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := movedFleet(t, 3)
			f.nobody = c.failure
			pair := f.sites[0].tenant.Pair
			r, code := f.move(oldURL)
			if moved := f.sites[0].tenant.Pair != pair; moved != c.moves {
				t.Fatalf("exit code %d: %+v", code, r)
			}
			if !c.moves && (code != ExitUsage || !strings.Contains(r.Error, "not known whether") || f.sites[0].tenant.Own.Wwwroot != oldURL || f.sites[1].rows[oldURL] == nil) {
				t.Errorf("exit code %d: %+v", code, r)
			}
		})
	}
}

// The hint names the command, for a shell.
func TestASiteThatHasMovedIsAdvisedToMove(t *testing.T) {
	f := movedFleet(t, 2)
	f.array(ArrayOptions{}, 0).Run(t.Context())
	if hint := HintOf(f.reports["https://t00.example"].Err); !strings.HasSuffix(hint, "run: renew_mnetkeys move --from=https://old.example") {
		t.Errorf("hint: %s", hint)
	}
	if hint := (&OtherSiteError{Row: "http://a b"}).Hint(); !strings.HasSuffix(hint, "--from='http://a b'") {
		t.Errorf("hint: %s", hint)
	}
}

// --newkey refuses a local host row of another wwwroot, so that it must not be advised.
func TestAMoveOfASiteWithMNetOffAdvisesMoodlesOwnSwitch(t *testing.T) {
	f := movedFleet(t, 2)
	f.sites[0].tenant.DispatcherMode = "off"
	if r, code := f.move(oldURL); code != ExitNotRenewed || r.Error != ErrMNetOff.Error() || strings.Contains(HintOf(r.Err), "--newkey") || f.count("store https://t00.example") > 0 {
		t.Errorf("exit code %d: %+v", code, r)
	}
}

func TestAMemberWithBothRowsKeepsThem(t *testing.T) {
	f := movedFleet(t, 3)
	s, both := f.sites[0], f.sites[1]
	both.rows[s.tenant.Wwwroot] = &fleetRow{}
	before := both.rows[oldURL].certificate
	r, code := f.move(oldURL)
	if code != ExitPeers || links(r) != "accepted database, refused two_rows" || r.NextStep(r.Peers[0], true) == "" {
		t.Errorf("exit code %d: %+v", code, r)
	}
	if both.rows[oldURL] == nil || both.rows[oldURL].certificate != before || both.rows[s.tenant.Wwwroot].certificate != s.tenant.Pair.Certificate {
		t.Error("the row with the old wwwroot was changed, or the other has not the key")
	}
	delete(both.rows, oldURL) // its administrator has renamed it
	if _, code := f.move(oldURL); code != ExitOK {
		t.Errorf("afterwards: exit code %d", code)
	}
}

func TestADryRunOfAMoveForetellsWhatPeersOutsideNeed(t *testing.T) {
	f := movedFleet(t, 3)
	f.sites[0].knowOutsider("https://outside.example")
	plan := func() (TenantReport, int) {
		f.events = nil
		a := f.array(ArrayOptions{}, 0)
		a.Template.MovedFrom = oldURL
		code := a.Plan(t.Context())
		return f.reports["https://t00.example"], code
	}
	pair := f.sites[0].tenant.Pair
	r, code := plan()
	if code != ExitPeers || r.Wwwroot != "https://t00.example" || r.Moved == nil || r.Moved.Message != "" || !strings.Contains(r.Peers[2].Detail, "must replace "+oldURL+" by https://t00.example") {
		t.Errorf("exit code %d: %+v", code, r)
	}
	if f.sites[0].tenant.Pair != pair || f.sites[0].tenant.Own.Wwwroot != oldURL || f.sites[1].rows[oldURL] == nil || f.count("hold https://t01.example") > 0 {
		t.Errorf("the dry run has changed something: %q", f.events)
	}
	delete(f.sites[0].rows, "https://outside.example")
	if r, code := plan(); code != ExitOK {
		t.Errorf("without peers outside: exit code %d: %+v", code, r)
	}
}

func TestAMoveSaysWhatPeersOutsideNeed(t *testing.T) {
	f := movedFleet(t, 2)
	f.sites[0].tenant.Site = "Our \n\tsite"
	f.sites[0].knowOutsider("https://outside.example")
	r, code := f.move(oldURL)
	if code != ExitPeers || links(r) != "accepted database, pending connect" || !strings.Contains(r.Peers[0].Next, "administrator") {
		t.Fatalf("exit code %d: %+v", code, r)
	}
	c := mustParse(f.sites[0].tenant.Pair.Certificate)
	for _, part := range []string{`The Moodle site "Our site"`, "old address: " + oldURL + "\n", "new address: https://t00.example\n", colons(c.Fingerprint()), c.PEM,
		"telephone", "openssl x509 -in mnet.pem -noout -fingerprint -sha256\n", `"WWW root"`,
		"SET wwwroot = 'https://t00.example' WHERE wwwroot = 'https://old.example';"} {
		if !strings.Contains(r.Moved.Message, part) {
			t.Errorf("the message lacks %q:\n%s", part, r.Moved.Message)
		}
	}
	if found, err := envelope.ParseCertificate(r.Moved.Message[strings.Index(r.Moved.Message, "-----BEGIN"):]); err != nil || !found.Equal(c) {
		t.Error("the certificate cannot be copied from the message")
	}
	if strings.Contains(r.Moved.Message, "PRIVATE") {
		t.Error("the message has the private key")
	}
}

// The peers have the old wwwroot as the site wrote it, and a database may compare every letter.
func TestAMoveNamesTheOldWwwrootAsTheSiteWroteIt(t *testing.T) {
	const spelled = "https://OLD.example"
	f := movedFleet(t, 2)
	f.sites[0].tenant.Own.Wwwroot = spelled
	f.sites[0].knowOutsider("https://outside.example")
	r, code := f.move(oldURL)
	if code != ExitPeers || r.Moved.From != spelled || !strings.Contains(r.Moved.Message, "WHERE wwwroot = '"+spelled+"';") || !strings.Contains(r.Peers[0].Next+r.Peers[1].Next, "replace "+spelled+" by ") {
		t.Errorf("exit code %d: %+v, %+v", code, r.Moved, r.Peers)
	}
}

// A push or a renewal after a move that was not finished names the move, and no new row at the peer.
func TestAPeerThatDoesNotKnowASiteThatHasMovedIsAnsweredByTheMove(t *testing.T) {
	for _, c := range []struct {
		name string
		old  bool // a retired key was made for the old wwwroot
		want string
	}{
		{"after a move", true, "run: renew_mnetkeys move --from=http://old.example"},
		{"of a site that never moved", false, ReasonUnknownToPeer.NextStep(true)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, run := range map[string]func(*Renewal, context.Context) TenantReport{"renew": (*Renewal).Run, "push": (*Renewal).Distribute, "verify": (*Renewal).Verify} {
				w := newWorld(t)
				w.addPeer("https://a.example", fakePeer{refuses: ReasonUnknownToPeer})
				w.addPeer("https://b.example", fakePeer{refuses: "fault_0"})
				if c.old {
					w.tenant.History = []Retired{{Stored: storedPair(testPair(t, "http://old.example", clock.AddDate(0, 0, -21)))}}
				}
				report := run(w.renewal(Options{}), t.Context())
				if next := report.NextStep(report.Peers[0], true); report.Peers[0].Reason != ReasonUnknownToPeer || !strings.HasSuffix(next, c.want) {
					t.Errorf("%s: %s, %q", name, report.Peers[0].Reason, next)
				}
				if next := report.NextStep(report.Peers[1], true); strings.Contains(next, "move") {
					t.Errorf("%s: of another reason: %q", name, next)
				}
				report.Moved = &MoveReport{From: "http://old.example"} // it is the move itself
				if next := report.NextStep(report.Peers[0], true); next != ReasonUnknownToPeer.NextStep(true) {
					t.Errorf("%s: of the move: %q", name, next)
				}
			}
		})
	}
}
