package test

import (
	"fmt"
	"slices"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// TestEveryCommandOnEachDatabase has one story, told on each database, and each way to reach it.
func TestEveryCommandOnEachDatabase(t *testing.T) {
	t.Parallel()
	postgresql := testbed.PostgreSQL(t)
	for name, options := range map[string]testbed.Options{
		"MariaDB":                          {},
		"PostgreSQL":                       {Server: postgresql},
		"PostgreSQL's socket, in a schema": {Server: postgresql, Socket: true, Schema: "Rooms", Cache: testbed.RedisCache},
		"PostgreSQL behind pgbouncer":      {Server: postgresql, Pooled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := testbed.PHPSite(t, options)
			forced, stock := patched(t), testbed.PHPSite(t, testbed.Options{Server: options.Server})
			own.Peer(t, forced)
			own.Peer(t, stock)
			own.Warm(t)
			s := &story{own: own, peers: []*testbed.Site{forced, stock}}
			s.renewsAndGoesBack(t)
			s.isLookedAt(t)
			s.startsMNet(t)
			s.bindsAStranger(t)
		})
	}
}

// story is a site with two peers.
type story struct {
	own   *testbed.Site
	peers []*testbed.Site
}

func (s *story) do(t *testing.T, word string, args ...string) ran {
	t.Helper()
	return operate(t, s.own.ConfigFile, word, args, append(s.peers, s.own)...)
}

// agreed checks that the site uses one key, and that all peers have it and are linked.
func (s *story) agreed(t *testing.T) {
	t.Helper()
	certificate := coherent(t, s.own)
	for _, peer := range s.peers {
		if peer.Held(t, s.own.Wwwroot) != certificate {
			t.Errorf("%s does not hold the certificate", peer.Wwwroot)
		}
		linked(t, s.own, peer)
	}
}

func (s *story) renewsAndGoesBack(t *testing.T) {
	t.Helper()
	first := pairOf(t, s.own)
	unchanged(t, func() {
		renewIt(t, s.own, "--dry-run").expect(t, 0, "would renew", "2 of 2 peers can be reached")
	}, append(s.peers, s.own)...)

	r := renewIt(t, s.own, "--json", "--debug")
	r.expect(t, 0)
	if tenant := r.document(t).Tenants[0]; tenant.Outcome != rotate.Renewed || tenant.SelfCheck != rotate.SelfProven || tenant.History != 1 {
		t.Errorf("%+v", tenant)
	}
	second := pairOf(t, s.own)
	if second == first || !slices.Equal(historyOf(t, s.own), []string{first}) {
		t.Error("the key is not a new one, or the history is not the old pair")
	}
	s.agreed(t)

	s.do(t, "rollback", "--yes").expect(t, 0, "2 of 2 peers proven")
	if pairOf(t, s.own) != first || !slices.Equal(historyOf(t, s.own), []string{second}) {
		t.Error("the first pair is not back, or the second one not in the history")
	}
	s.agreed(t)
}

// isLookedAt runs what writes nothing, but push to a peer that has lost its row's certificate.
func (s *story) isLookedAt(t *testing.T) {
	t.Helper()
	s.peers[0].DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", s.peers[0].Certificate(t), s.own.Wwwroot)
	pair := pairOf(t, s.own)
	s.do(t, "push").expect(t, 0, "2 of 2 peers proven")
	if pairOf(t, s.own) != pair {
		t.Error("push has made a key")
	}
	s.agreed(t)
	unchanged(t, func() {
		s.do(t, "verify").expect(t, 0, "2 of 2 peers proven")
		s.do(t, "status", "--live").expect(t, 0, s.own.Wwwroot)
		s.do(t, "check").expect(t, 0, "OK")
		s.do(t, "doctor", "--verbose").expect(t, 0, s.own.Wwwroot)
	}, append(s.peers, s.own)...)
}

func (s *story) startsMNet(t *testing.T) {
	t.Helper()
	s.own.SetMNet(t, false)
	s.own.Warm(t)
	pair := pairOf(t, s.own)
	renewIt(t, s.own).expect(t, 1, "error: MNet is switched off on this site", "To start MNet and make a new key, run: ")
	renewIt(t, s.own, "--newkey").expect(t, 0, "2 of 2 peers proven")
	if mode := s.own.DB.Value(t, "SELECT value FROM {config} WHERE name = 'mnet_dispatcher_mode'"); mode != "strict" || pairOf(t, s.own) == pair {
		t.Errorf("MNet is %s, or the key is the old one", mode)
	}
	s.agreed(t)
}

// bindsAStranger ends with Moodle inserting rows of its own: an id that the tool took is not given
// out again.
func (s *story) bindsAStranger(t *testing.T) {
	t.Helper()
	stranger := patched(t)
	stranger.Peer(t, s.own)
	s.own.DB.Exec(t, "DELETE FROM {mnet_host2service} WHERE hostid = (SELECT id FROM {mnet_host} WHERE wwwroot = ?)", stranger.Wwwroot)
	s.own.DB.Exec(t, "DELETE FROM {mnet_host} WHERE wwwroot = ?", stranger.Wwwroot)
	renewIt(t, s.own, "--bindhost="+stranger.Wwwroot).expect(t, 0, "3 of 3 peers proven")
	knows(t, s.own, stranger, singleSignOn)
	s.peers = append(s.peers, stranger)
	s.agreed(t)

	last := patched(t)
	s.own.Peer(t, last)
	linked(t, s.own, last)
	ids := s.own.DB.Rows(t, "SELECT wwwroot FROM {mnet_host} WHERE wwwroot IN (?, ?) ORDER BY id", stranger.Wwwroot, last.Wwwroot)
	if ids != fmt.Sprintf("%s\n%s", stranger.Wwwroot, last.Wwwroot) {
		t.Errorf("the rows are %s", ids)
	}
}

// A register on MySQL may have tenants on PostgreSQL.
func TestATenantOnPostgreSQL(t *testing.T) {
	t.Parallel()
	master := patched(t)
	tenant := testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched, Server: testbed.PostgreSQL(t)})
	v := newVMoodle(t, master, tenant)
	v.renew(t, "--host="+tenant.Wwwroot, "--bindhost="+master.Wwwroot).expect(t, 0, "1 of 1 peer proven")
	knows(t, tenant, master, subSide)
	v.renew(t, "--bindhost=subs").expect(t, 0, "1 of 1 peer proven")
	knows(t, master, tenant, masterSide)
	linked(t, master, tenant)

	before := []string{pairOf(t, master), pairOf(t, tenant)}
	v.renew(t, "--all", "--withmaster", "--fresh=0s").expect(t, 0, "2 of 2 links proven")
	for i, s := range v.sites {
		if pairOf(t, s) == before[i] || historyOf(t, s)[0] != before[i] {
			t.Errorf("%s has no new key, or has lost the old one", s.Wwwroot)
		}
		if s.Held(t, v.sites[1-i].Wwwroot) != coherent(t, v.sites[1-i]) {
			t.Errorf("%s does not hold the other's certificate", s.Wwwroot)
		}
	}
	linked(t, master, tenant)
}

// What a database says of a standby, and of an account without rights, stops a run in time.
func TestADatabaseThatTakesNoWritesEndsARunBeforeItChangesAnything(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		postgresql []int
		refuse     string
		says       string
		refused    string // what a run says as doctor does
		push       int    // exit code of a push, which has nothing to write
	}{
		"MariaDB":    {nil, "REVOKE ALL ON %[1]s.* FROM %[2]s; GRANT SELECT ON %[1]s.* TO %[2]s", "denied", "denied", 0},
		"PostgreSQL": {[]int{0}, "ALTER ROLE %[2]s SET default_transaction_read_only = on", "hint: the server is read-only, perhaps a replica: dbhost in config.php must name the primary server", "error: the database does not accept a new key: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 1, outsiders: 1, postgresql: c.postgresql})
			own := f.tenants[0]
			own.DB.Exec(t, fmt.Sprintf(c.refuse, own.DB.Name, own.DB.User))
			unchanged(t, func() {
				f.renew(t).expect(t, 1, c.says, c.refused)
				f.renew(t, "--dry-run").expect(t, 1, c.says, c.refused)
				f.command(t, "doctor").expect(t, 1, "the database does not accept a new key [own_rights]")
				f.command(t, "push").expect(t, c.push)
				f.command(t, "push", "--dry-run").expect(t, c.push)
				f.renew(t, "--if-due", "--dry-run").expect(t, c.push)
			}, own.Site)
		})
	}
}
