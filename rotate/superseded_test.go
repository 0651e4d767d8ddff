package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// overwrites is Moodle's own renewal that read the tenant before this run's COMMIT and writes after
// it: the run's pair is no longer in any place.
func (w *world) overwrites(old Stored) (ours, theirs Stored) {
	ours, theirs = w.tenant.Pair, storedPair(testPair(w.t, ownURL, clock))
	w.version++
	w.tenant.Pair, w.tenant.History = theirs, []Retired{{Stored: old}}
	w.tenant.Own, w.cached = &Peer{ID: 1, Wwwroot: ownURL, Certificate: theirs.Certificate, Expires: clock.AddDate(0, 0, 28).Unix()}, nil
	return ours, theirs
}

// A peer to which the run's key was pushed must still be able to learn the right one.
func TestAPairThatWasOverwrittenIsKeptInTheHistory(t *testing.T) {
	for _, c := range []struct {
		name    string
		event   string // at which Moodle writes
		then    func(*world)
		check   SelfCheck
		outcome Outcome
		exit    int
		kept    bool
	}{
		{"before the local site was proven: no push", "prove " + ownURL, func(*world) {}, SelfProven, Failed, ExitNotRenewed, true},
		{"during the push", "prove https://a.example", func(*world) {}, SelfProven, Renewed, ExitPeers, true},
		{"Moodle writes once more beside it: tried again", "prove https://a.example",
			func(w *world) { w.at("store-history", 1, func() { w.version++ }) }, SelfProven, Renewed, ExitPeers, true},
		{"the database takes no more: said", "prove https://a.example", func(w *world) { w.storeErr = errLost }, SelfProven, Renewed, ExitPeers, false},
		{"the database is lost beside it: said", "prove https://a.example",
			func(w *world) { w.at("store-history", 1, func() { w.version++; w.readErr = errLost }) }, SelfProven, Renewed, ExitPeers, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.addPeer("https://a.example", fakePeer{})
			old := w.tenant.Pair
			w.tenant.Own.Expires = clock.Unix() // the proof comes only after Moodle's write
			var ours, theirs Stored
			w.at(c.event, 1, func() {
				ours, theirs = w.overwrites(old)
				c.then(w)
			})
			report := w.renewal(Options{}).Run(t.Context())
			if report.Outcome != c.outcome || report.SelfCheck != c.check || report.Exit != c.exit || !errors.Is(report.Err, ErrConflict) {
				t.Errorf("%s, local site %s, exit %d: %v", report.Outcome, report.SelfCheck, report.Exit, report.Err)
			}
			want := []Stored{ours, old}
			if !c.kept {
				want = want[1:]
			}
			got := make([]Stored, len(w.tenant.History))
			for i, h := range w.tenant.History {
				got[i] = h.Stored
			}
			if w.tenant.Pair != theirs || !slices.Equal(got, want) {
				t.Errorf("Moodle's pair is current: %v; %d retired, want %d, or other ones", w.tenant.Pair == theirs, len(got), len(want))
			}
			if said := strings.Contains(report.Error, "the new key could not be kept"); said == c.kept {
				t.Error(report.Err)
			}
			if told := len(w.happened("push")) > 0; told != (c.outcome == Renewed) {
				t.Errorf("the key was pushed to the peer: %v", told)
			}
			if c.outcome == Failed {
				w.wantStored(report)
			}
		})
	}
}
