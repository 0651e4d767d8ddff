package test

import (
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// troubledMesh is a mesh of twelve sites, four of which are special. None has
// VMoodle's forced mode.
type troubledMesh struct {
	*fleet                 // ten tenants, the master among them, and two outsiders
	good   []*fleetTenant  // the other eight
	down   *fleetTenant    // its database server is down
	sticky *fleetTenant    // its web server keeps its cache in an unusual place
	before map[string]site // by wwwroot
}

// site is the state of a tenant's database.
type site struct{ pair, rows, contents string }

func newTroubledMesh(t testing.TB) *troubledMesh {
	t.Helper()
	m := &troubledMesh{fleet: newFleet(t, fleetOptions{tenants: 10, outsiders: 2, kind: peertest.Stock})}
	m.down, m.sticky = m.tenants[4], m.tenants[7]
	m.good = slices.Concat(m.tenants[:4], m.tenants[5:7], m.tenants[8:])
	m.says(t, m.down.Site, "vdbhost = '127.0.0.1:1'")
	m.down.web.Misbehave(peertest.Status(500)) // what Moodle answers without its database
	m.sticky.side.cacheIn(m.sticky.Site, t.TempDir())
	m.sticky.web.Certificate() // fills it
	m.before = map[string]site{}
	for _, tenant := range m.tenants {
		m.before[tenant.Wwwroot] = m.look(t, tenant)
	}
	return m
}

// look reads a tenant's database; its rows without the keys, which may be renewed.
func (m *troubledMesh) look(t testing.TB, s *fleetTenant) site {
	t.Helper()
	return site{pairOf(t, s.Site), rows(t, s.Site, m.sites...), contents(t, s.Site)}
}

// ended checks the mesh after a run with the result r: eight tenants are renewed, once since the
// mesh was made, and every link of theirs is proven; the others are reported, each in its way;
// nothing else has changed.
//
// A run that was killed between storing the sticky tenant's key and putting the old one back leaves
// it halfway; the next run finds that state, and puts the old key back.
func (m *troubledMesh) ended(t testing.TB, r ran) {
	t.Helper()
	r.expect(t, 3)
	reports := r.byTenant(t)
	if len(reports) != len(m.tenants) {
		t.Errorf("%d tenants are reported", len(reports))
	}
	for _, s := range m.good {
		m.proven(t, s, reports[s.Wwwroot])
	}
	if r := reports[m.down.Wwwroot]; r.Outcome != rotate.Failed || !strings.HasPrefix(r.Error, "lock the tenant: connect: database ") ||
		!strings.Contains(r.Error, "127.0.0.1:1") || len(r.Peers) > 0 {
		t.Errorf("the tenant whose database is down: %+v", r)
	}
	if r := reports[m.sticky.Wwwroot]; r.Outcome != rotate.Undone || r.SelfCheck != rotate.SelfProven || !strings.HasPrefix(r.Error, "the old key was restored") {
		t.Errorf("the tenant that keeps its key: %+v", r)
	}
	m.unharmed(t)
}

// proven checks that a good tenant was renewed and that its report says so.
func (m *troubledMesh) proven(t testing.TB, s *fleetTenant, r rotate.TenantReport) {
	t.Helper()
	coherent(t, s.Site)
	if pair := pairOf(t, s.Site); pair == m.before[s.Wwwroot].pair || !slices.Equal(historyOf(t, s.Site), []string{m.before[s.Wwwroot].pair}) {
		t.Errorf("%s was not renewed, or not once", s.Wwwroot)
	}
	if r.Outcome != rotate.Renewed && r.Outcome != rotate.Kept || r.SelfCheck != rotate.SelfProven || len(r.Peers) != len(m.tenants)+len(m.outsiders)-1 {
		t.Errorf("%s: %+v", s.Wwwroot, r)
	}
	for _, p := range r.Peers {
		want := "accepted database"
		switch {
		case p.Wwwroot == m.down.Wwwroot:
			want = "pending database"
		case m.isOutsider(p.Wwwroot):
			want = "accepted "
		}
		if got := string(p.Outcome) + " " + string(p.Reason); got != want {
			t.Errorf("%s at %s: %+v, want %s", s.Wwwroot, p.Wwwroot, p, want)
		}
	}
}

func (m *troubledMesh) isOutsider(wwwroot string) bool {
	return slices.ContainsFunc(m.outsiders, func(o *peertest.Site) bool { return o.Wwwroot() == wwwroot })
}

// unharmed checks that only the rows of the tenant whose database is down are wrong, and that no
// other row has changed.
func (m *troubledMesh) unharmed(t testing.TB) {
	t.Helper()
	var expected []string
	for _, s := range m.good {
		expected = append(expected, m.down.Wwwroot+" > "+s.Wwwroot)
	}
	if wrong := m.wrongLinks(t); !slices.Equal(wrong, expected) {
		t.Errorf("wrong links:\n%q\nwant\n%q", wrong, expected)
	}
	for _, s := range m.tenants {
		now, before := m.look(t, s), m.before[s.Wwwroot]
		if now.rows != before.rows {
			t.Errorf("%s: other rows have changed:\n%s\n\nwere\n%s", s.Wwwroot, now.rows, before.rows)
		}
		if s == m.down && now != before {
			t.Errorf("%s, whose database is down, has changed", s.Wwwroot)
		}
		if s == m.sticky && now.pair != before.pair {
			t.Errorf("%s, whose web side keeps its pair, has another", s.Wwwroot)
		}
	}
}

// repair brings database and cache back to their places.
func (m *troubledMesh) repair(t testing.TB) {
	t.Helper()
	m.says(t, m.down.Site, "vdbhost = '127.0.0.1'")
	m.down.web.Misbehave()
	m.sticky.side.cacheIn(m.sticky.Site, m.sticky.Dataroot)
}

// byTenant is the JSON document by wwwroot.
func (r ran) byTenant(t testing.TB) map[string]rotate.TenantReport {
	t.Helper()
	all := map[string]rotate.TenantReport{}
	for _, tenant := range r.document(t).Tenants {
		if _, twice := all[tenant.Wwwroot]; twice {
			t.Errorf("%s is reported twice", tenant.Wwwroot)
		}
		all[tenant.Wwwroot] = tenant
	}
	return all
}

func TestAMeshIsProvenButForWhatIsReported(t *testing.T) {
	t.Parallel()
	m := newTroubledMesh(t)
	m.ended(t, m.renew(t, "--all", "--withmaster", "--json"))
	for _, s := range m.tenants {
		for _, request := range s.web.Requests() {
			if request.Method == "system/keyswap" && request.Force {
				t.Errorf("%s was told by a keyswap: %+v", s.Wwwroot, request)
			}
		}
	}
	for i, s := range m.good {
		call(t, s.web, m.good[(i+1)%len(m.good)].web)
		call(t, s.web, m.outsiders[i%2])
		call(t, s.web, m.sticky.web)
	}

	m.repair(t)
	// It need not wait for the next run: like every MNet site, it fetches an unknown key at its
	// first call, or at its caller's.
	call(t, m.down.web, m.good[0].web)
	call(t, m.good[1].web, m.down.web)
	r := m.renew(t, "--all", "--withmaster", "--json", "--timeout=1m") // a call that is late on a busy machine would be repeated, and its peer healed
	r.expect(t, 0)
	for wwwroot, report := range r.byTenant(t) {
		want := rotate.Kept
		if wwwroot == m.down.Wwwroot || wwwroot == m.sticky.Wwwroot {
			want = rotate.Renewed
		}
		if report.Outcome != want || report.Unproven() > 0 {
			t.Errorf("after the repair: %+v", report)
		}
	}
	if wrong := m.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("after the repair: %q", wrong)
	}
	for _, s := range m.good {
		call(t, s.web, m.down.web)
	}
}
