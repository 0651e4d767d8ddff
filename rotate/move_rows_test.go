package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// The name of the old wwwroot may have been sold: a member's row of it may be of the new owner, and
// has the only certificate that the member has of that site.
func TestAMoveLeavesTheRowOfASiteThatCameToTheOldWwwroot(t *testing.T) {
	for name, certificate := range map[string]string{
		"with its certificate":                       testPair(t, oldURL, clock.AddDate(0, 0, -3)).Certificate.PEM,
		"with no certificate":                        "",
		"with a certificate that is older than ours": testPair(t, oldURL, clock.AddDate(0, 0, -300)).Certificate.PEM,
	} {
		t.Run(name, func(t *testing.T) {
			f := movedFleet(t, 3)
			theirs := f.sites[1].rows[oldURL]
			theirs.certificate = certificate
			const want = "accepted database, refused unknown_to_peer"
			plan := f.array(ArrayOptions{}, 0)
			plan.Template.MovedFrom = oldURL
			if code := plan.Plan(t.Context()); code != ExitPeers || links(f.reports["https://t00.example"]) != "refused unknown_to_peer, skipped " {
				t.Errorf("a dry run: exit code %d: %+v", code, f.reports["https://t00.example"])
			}
			for range 2 {
				r, code := f.move(oldURL)
				if code != ExitPeers || links(r) != want {
					t.Fatalf("exit code %d: %+v", code, r)
				}
				if p := r.Peers[0]; !strings.Contains(p.Detail, "may be another site's") || !strings.Contains(p.Next, "UPDATE mdl_mnet_host SET wwwroot = 'https://t00.example' WHERE wwwroot = 'https://old.example'") {
					t.Errorf("%+v", p)
				}
				if f.sites[1].rows[oldURL] != theirs || theirs.certificate != certificate || f.sites[1].rows["https://t00.example"] != nil {
					t.Fatal("the row of another site was taken")
				}
			}
			f.sites[1].rows["https://t00.example"] = theirs // its administrator knows that it is this site's
			delete(f.sites[1].rows, oldURL)
			f.sites[1].order = append(f.sites[1].order, "https://t00.example")
			if _, code := f.move(oldURL); code != ExitOK {
				t.Errorf("afterwards: exit code %d", code)
			}
			f.hasMoved(t)
		})
	}
}

// A member that missed renewals before the move has a certificate of a retired key.
func TestAMoveTakesRowsWithRetiredKeysOfTheSite(t *testing.T) {
	f := movedFleet(t, 3)
	older := testPair(t, oldURL, clock.AddDate(0, 0, -40))
	f.sites[0].tenant.History = []Retired{{Stored: storedPair(older)}}
	f.sites[1].rows[oldURL].certificate = older.Certificate.PEM
	if r, code := f.move(oldURL); code != ExitOK {
		t.Errorf("exit code %d: %+v", code, r)
	}
	f.hasMoved(t)
}

// VMoodle's PHP renewal overwrites the stored pair and leaves the former one in the cache alone. If
// the local host row is renamed then, that pair has another name than the site, and peers still
// have its certificate.
func TestAKeyOfTheOldNameThatOnlyTheCacheHasIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		retired bool // a key of the old name is in the history
		unasked bool // the web server is not asked
		from    string
	}{
		"by a move":                                 {true, false, oldURL},
		"by a move that does not ask":               {true, true, oldURL},
		"by a renewal":                              {true, false, ""},
		"by a renewal that does not ask":            {true, true, ""},
		"if the web server alone shows whose it is": {false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := movedFleet(t, 2)
			s := f.sites[0]
			only := s.tenant.Pair // cached
			next := testPair(t, s.tenant.Wwwroot, clock.AddDate(0, 0, -20))
			s.tenant.Pair = storedPair(next)
			s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot, Certificate: next.Certificate.PEM, Expires: next.Certificate.NotAfter.Unix()}
			if c.retired {
				s.tenant.History = []Retired{{Stored: storedPair(testPair(t, oldURL, clock.AddDate(0, 0, -40)))}}
			}
			a := f.array(ArrayOptions{}, 0)
			a.Template.MovedFrom = c.from
			if c.unasked {
				a.Template.SelfCheck = SelfCheckOff
			}
			a.Run(t.Context())
			if !slices.ContainsFunc(s.tenant.History, func(h Retired) bool { return h.Stored == only }) {
				t.Errorf("the key is lost: %+v", f.reports[s.tenant.Wwwroot])
			}
		})
	}
}

// A copy of a site that kept its siteidentifier and its Redis finds the entries of the original in
// the cache, and the original finds those of the copy.
func TestAKeyOfASiteThatSharesTheCacheIsNotTaken(t *testing.T) {
	const originalURL = "https://t01.example"
	for name, retired := range map[string][]Retired{
		"the copy has former keys of the original": {{Stored: storedPair(testPair(t, originalURL, clock.AddDate(0, 0, -40)))}},
		"only its web server shows the key":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 3)
			s, others := f.sites[0], f.sites[1].tenant.Pair
			s.cached, s.tenant.History = &others, retired
			pair := s.tenant.Pair
			f.array(ArrayOptions{}, 0).Run(t.Context())
			r := f.reports[s.tenant.Wwwroot]
			var shared *SharedCacheError
			if !errors.As(r.Err, &shared) || shared.Wwwroot != originalURL || r.Outcome != Failed || r.Exit == ExitOK || !strings.Contains(HintOf(r.Err), "another prefix") {
				t.Errorf("%+v", r)
			}
			if s.tenant.Pair != pair || len(s.tenant.History) != len(retired) || s.cached == nil || *s.cached != others {
				t.Errorf("the key was taken, or its entry was dropped: %d in the history", len(s.tenant.History))
			}
		})
	}
}

// An administrator who gives up a move writes the old wwwroot into config.php again. Members may
// have the new one already.
func TestAMoveBackTakesTheRowsOfTheNewName(t *testing.T) {
	f := movedFleet(t, 3)
	s, newURL := f.sites[0], f.sites[0].tenant.Wwwroot
	f.sites[2].down = true
	if _, code := f.move(oldURL); code != ExitPeers || f.sites[1].rows[newURL] == nil || f.sites[2].rows[oldURL] == nil {
		t.Fatalf("exit code %d", code)
	}
	f.sites[2].down = false
	s.tenant.Wwwroot, f.byURL[oldURL] = oldURL, s
	delete(f.byURL, newURL)
	r, code := f.move(newURL)
	if code != ExitOK || r.Wwwroot != oldURL || s.tenant.Own.Wwwroot != oldURL {
		t.Errorf("exit code %d: %+v", code, r)
	}
	for _, other := range f.sites[1:] {
		if row := other.rows[oldURL]; row == nil || row.certificate != s.tenant.Pair.Certificate || other.rows[newURL] != nil {
			t.Errorf("%s: rows %v", other.tenant.Wwwroot, other.rows)
		}
	}
}
