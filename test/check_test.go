package test

import (
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// mnetOff disables MNet as an administrator does.
func (s *fleetTenant) mnetOff(t testing.TB) {
	t.Helper()
	s.DB.Exec(t, "UPDATE {config} SET value = 'off' WHERE name = 'mnet_dispatcher_mode'")
	s.web.Misbehave(peertest.Off)
}

// A tenant is judged by its problems, in whichever way it is checked. Otherwise a monitoring system
// that watches the array would stay silent, while one that watches the tenant would not.
func TestACheckSaysTheSameOfATenantAloneAndInItsArray(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state            string
		pending, refused string // links, "" if none was looked at
		upset            func(t *testing.T, f *fleet, tenant, member *fleetTenant)
	}{
		"all is well": {"OK", "0", "0", func(*testing.T, *fleet, *fleetTenant, *fleetTenant) {}},
		"a peer outside is dead": {"WARNING", "1", "0", func(_ *testing.T, f *fleet, _, _ *fleetTenant) {
			f.outsiders[0].Misbehave(peertest.Drop)
		}},
		"the web server of a member is dead": {"WARNING", "1", "0", func(_ *testing.T, _ *fleet, _, member *fleetTenant) {
			member.web.Misbehave(peertest.Drop)
		}},
		"a member is dead, its database too": {"WARNING", "1", "0", func(t *testing.T, f *fleet, _, member *fleetTenant) {
			f.says(t, member.Site, "vdbhost = '127.0.0.1:1'")
			member.web.Misbehave(peertest.Drop)
		}},
		"MNet is off at a member": {"WARNING", "0", "1", func(t *testing.T, _ *fleet, _, member *fleetTenant) {
			member.mnetOff(t)
		}},
		"its own web server is dead": {"WARNING", "3", "0", func(_ *testing.T, _ *fleet, tenant, _ *fleetTenant) {
			tenant.web.Misbehave(peertest.Drop)
		}},
		"its own database is dead": {"UNKNOWN", "", "", func(t *testing.T, f *fleet, tenant, _ *fleetTenant) {
			f.says(t, tenant.Site, "vdbhost = '127.0.0.1:1'")
		}},
		"its own MNet is off": {"WARNING", "", "", func(t *testing.T, _ *fleet, tenant, _ *fleetTenant) {
			tenant.mnetOff(t)
		}},
		"its key has expired": {"CRITICAL", "", "", func(t *testing.T, _ *fleet, tenant, _ *fleetTenant) {
			tenant.DB.Exec(t, "UPDATE {mnet_host} SET public_key_expires = UNIX_TIMESTAMP() - 60 WHERE wwwroot = ?", tenant.Wwwroot)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1, kind: peertest.Stock})
			tenant, member := f.tenants[1], f.tenants[2]
			c.upset(t, f, tenant, member)
			for mode, args := range map[string][]string{"alone": {"--host=" + tenant.Wwwroot}, "in the array": {"--all", "--match=" + tenant.Wwwroot}} {
				r := f.command(t, "check", append(args, "--retries=0", "--timeout=5s")...)
				got := checked(t, r)
				if got.state != c.state || got.data["peers_pending"] != c.pending || got.data["peers_refused"] != c.refused {
					t.Errorf("%s: want %s, %s pending, %s refused:\n%s", mode, c.state, c.pending, c.refused, r.stdout)
				}
			}
		})
	}
}

// MNet may be disabled on purpose: the operator can then leave the tenant out.
func TestATenantWhoseMNetIsOffIsAWarningUntilItIsExcluded(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	off := f.tenants[1]
	off.DB.Exec(t, "UPDATE {mnet_host} SET deleted = 1 WHERE wwwroot = ?", f.tenants[0].Wwwroot)
	f.tenants[0].DB.Exec(t, "UPDATE {mnet_host} SET deleted = 1 WHERE wwwroot = ?", off.Wwwroot)
	off.mnetOff(t)
	if got := checked(t, f.command(t, "check", "--all", "--withmaster")); got.state != "WARNING" || got.text != off.Wwwroot+": MNet is switched off on this site" {
		t.Errorf("%+v", got)
	}
	if got := checked(t, f.command(t, "check", "--all", "--withmaster", "--exclude="+off.Wwwroot)); got.state != "OK" {
		t.Errorf("%+v", got)
	}
}
