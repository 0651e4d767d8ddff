package test

import (
	"slices"
	"testing"

	"renew_mnetkeys/rotate"
)

func TestAFileForTheArrayRenewsOneTenantWhereOneIsNamed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	file := write(t, "config = "+f.config+"\nall\nwithmaster\nfresh = 0s\njson")
	before := map[string]string{}
	for _, s := range f.tenants {
		before[s.Wwwroot] = pairOf(t, s.Site)
	}
	renewed := func() (all []string) {
		for _, s := range f.tenants {
			if pairOf(t, s.Site) != before[s.Wwwroot] {
				all = append(all, s.Wwwroot)
			}
		}
		slices.Sort(all)
		return all
	}
	r := run1(t, command(t, "--options="+file, "--host="+f.tenants[1].Wwwroot))
	r.expect(t, 0)
	if got := renewed(); !slices.Equal(got, []string{f.tenants[1].Wwwroot}) || !slices.Equal(r.wwwroots(t), got) {
		t.Errorf("renewed %q, reported %q", got, r.wwwroots(t))
	}
	cmd := command(t)
	cmd.Env = append(cmd.Env, "MNETKEYS_OPTIONS="+file)
	r = run1(t, cmd)
	r.expect(t, 0)
	if got := renewed(); len(got) != 3 || !slices.Equal(r.wwwroots(t), got) {
		t.Errorf("renewed %q, reported %q", got, r.wwwroots(t))
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
	pair := pairOf(t, f.tenants[1].Site)
	run1(t, command(t, "--options="+write(t, "config = "+f.config+"\nal"))).expect(t, rotate.ExitUsage, ":2: unknown option \"al\"", "hint: did you mean all?")
	if pairOf(t, f.tenants[1].Site) != pair {
		t.Error("a mistyped name renews")
	}
}
