package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestADryRunOfAnArraySaysWhatBecomesOfEachTenant(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     ArrayOptions
		due   DuePolicy
		spoil func(*fleetSite)
		warns string
		err   error
	}{
		{name: "to be renewed", o: ArrayOptions{Fresh: time.Hour}},
		{name: "fresh", o: ArrayOptions{Fresh: 100 * 24 * time.Hour}, warns: "the key is younger than --fresh: it would not be renewed, only pushed"},
		{name: "fresh, but Moodle would soon renew it", o: ArrayOptions{Fresh: 100 * 24 * time.Hour}, due: DuePolicy{OnlyIfDue: true},
			spoil: func(s *fleetSite) { s.tenant.Own.Expires = clock.Add(23 * time.Hour).Unix() }},
		{name: "only to be distributed", o: ArrayOptions{PushOnly: true}, warns: "the stored key would be pushed"},
		{name: "not due", due: DuePolicy{OnlyIfDue: true, Before: 25 * time.Hour}, warns: "the key does not expire soon: it would not be renewed, only pushed to peers that are not proven"},
		{name: "expired, and only to be distributed", o: ArrayOptions{PushOnly: true},
			spoil: func(s *fleetSite) { s.tenant.Own.Expires = clock.Unix() }, err: ErrExpired},
		{name: "incoherent, and only to be distributed", o: ArrayOptions{PushOnly: true},
			spoil: func(s *fleetSite) { s.tenant.Own.Certificate = "" }, err: ErrIncoherent},
		{name: "a database that cannot be read", spoil: func(s *fleetSite) { s.readErr = errDown }, err: errDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, 2)
			s := f.sites[0]
			if c.spoil != nil {
				c.spoil(s)
			}
			a := f.array(c.o, 0)
			a.Template.Due = c.due
			code := a.Plan(t.Context())
			r, reported := f.reports[s.tenant.Wwwroot]
			if !reported || !errors.Is(r.Err, c.err) {
				t.Fatalf("%+v", f.reports)
			}
			outcome, want := Kept, ExitOK
			if c.err != nil {
				outcome, want = Failed, ExitNotRenewed
			}
			if r.Outcome != outcome || code != want {
				t.Errorf("exit %d: %+v", code, r)
			}
			if kept := slices.ContainsFunc(r.Warnings, func(w string) bool { return w == c.warns }); kept != (c.warns != "") || c.warns == "" && strings.Contains(strings.Join(r.Warnings, " "), "pushed") {
				t.Errorf("warns %q, want %q", r.Warnings, c.warns)
			}
		})
	}
}
