package moodledb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// operation is what a run does with a tenant's database, and its result.
type operation struct {
	before string // prepares the site for the operation
	do     func(context.Context, *Tenant) (any, error)
}

// operations are all uses of a tenant's database, made such that they use every statement that they
// have.
func operations(seen *rotate.Tenant) map[string]operation {
	change, other := renewal(seen), rotate.Peer{Wwwroot: "https://new.example", Name: "New", Certificate: newCert}
	first := change
	first.History = nil
	first.Read = &rotate.Tenant{Wwwroot: ownWwwroot, Read: rotate.Snapshot{OwnID: 1}, Own: &rotate.Peer{ID: 1, Certificate: ownCert}}
	keys := []rotate.HostKey{offer("https://a.example", 6), offer("https://b.example", 6), offer("https://peer.example", 6)}
	moved := []rotate.HostKey{offer("https://new.example", 6)}
	moved[0].Was = "https://a.example"
	peers := "INSERT INTO {mnet_host} (id, wwwroot, public_key, public_key_expires, deleted) VALUES " +
		"(4, 'https://a.example', 'v5', 5, 0), (5, 'https://b.example', 'v5', 99, 0), (6, 'https://gone.example', 'v5', 5, 1)"
	return map[string]operation{
		"Read": {"", func(ctx context.Context, t *Tenant) (any, error) { return t.Read(ctx) }},
		"Read for changes": {"", func(ctx context.Context, t *Tenant) (any, error) {
			changing := *t
			changing.ForChanges()
			return changing.Read(ctx)
		}},
		"PeerList":        {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.PeerList(ctx) }},
		"LoadPeers":       {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.LoadPeers(ctx, byID(3, 5)) }},
		"ComparePeerKeys": {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.ComparePeerKeys(ctx, keys) }},
		"StartMNet": {"DELETE FROM {config}; DELETE FROM {mnet_host}; INSERT INTO {config} (name, value) VALUES ('mnet_dispatcher_mode', 'off')",
			func(ctx context.Context, t *Tenant) (any, error) { return nil, t.StartMNet(ctx, "") }},
		"StopMNet": {"UPDATE {config} SET value = 'strict' WHERE name = 'mnet_dispatcher_mode'",
			func(ctx context.Context, t *Tenant) (any, error) { return nil, t.StopMNet(ctx, "off") }},
		"RegisterPeer": {"", func(ctx context.Context, t *Tenant) (any, error) {
			h, err := t.RegisterPeer(ctx, other)
			h.ID = 0
			return h, err
		}},
		"RegisterPeer again": {"INSERT INTO {mnet_host} (id, wwwroot, public_key, deleted) VALUES (7, 'https://new.example', '', 1)",
			func(ctx context.Context, t *Tenant) (any, error) { return t.RegisterPeer(ctx, other) }},
		"BindServices": {"INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe) VALUES (3, 1, 0, 0)",
			func(ctx context.Context, t *Tenant) (any, error) {
				return nil, t.BindServices(ctx, 3, []Binding{{"sso_idp", true, true}, {"sso_sp", true, false}})
			}},
		"ServicesStrategy": {"", func(ctx context.Context, t *Tenant) (any, error) { return t.ServicesStrategy(ctx, RoleMaster, true) }},
		"StoreKey":         {"", func(ctx context.Context, t *Tenant) (any, error) { return nil, storeKey(ctx, t, change) }},
		"StoreKey first": {"DELETE FROM {config_plugins}",
			func(ctx context.Context, t *Tenant) (any, error) { return nil, storeKey(ctx, t, first) }},
		"StorePeerKey": {"", func(ctx context.Context, t *Tenant) (any, error) {
			return t.storePeerKey(ctx, 3, peerCert, newCert, 77)
		}},
		"StorePeerKeys":              {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.StorePeerKeys(ctx, keys) }},
		"StorePeerKeys after a move": {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.StorePeerKeys(ctx, moved) }},
		"RowsNamed":                  {peers, func(ctx context.Context, t *Tenant) (any, error) { return t.RowsNamed(ctx, "https://a.example") }},
		"CheckRights":                {"", func(ctx context.Context, t *Tenant) (any, error) { return nil, t.CheckRights(ctx) }},
		"Lock":                       {"", lockAndRelease},
		"Servers.Lock":               {"", lockAndReleaseOfAnArray},
	}
}

func lockAndRelease(ctx context.Context, t *Tenant) (any, error) {
	l, err := t.Acquire(ctx, 5*time.Second)
	if err != nil {
		return nil, err
	}
	held := l.Held(ctx)
	if l.Release() != nil { // the server releases it, since its connection is closed
		return nil, ErrLockLost
	}
	return nil, held
}

func lockAndReleaseOfAnArray(ctx context.Context, t *Tenant) (any, error) {
	servers := NewServers(2)
	defer func() { _ = servers.Close() }()
	l, err := servers.Acquire(ctx, t.config, 5*time.Second)
	if err != nil {
		return nil, err
	}
	held := l.Held(ctx)
	return nil, errors.Join(held, l.Release())
}

// TestAFaultAtAnyStatement runs each operation with a fault at its first statement, then at its
// second, and so on to its last. Afterwards the tables have either the old or the new state, the
// error shows no secret, and a second call does what the first could not.
func TestAFaultAtAnyStatement(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		step := 1
		// A connection to PostgreSQL takes long: there, only the long run tries every statement.
		if server.DBType == testbed.PostgreSQLType && !testbed.Long() {
			step = 3
		}
		for name := range operations(&rotate.Tenant{Own: &rotate.Peer{}}) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFaulty(t, server, name)
				for i, fault := range []fate{isLost, isCutShort, isAskedTwice} {
					n := 1 + i%step
					for f.at(t, fault, n) {
						n += step
					}
					if n == 1 && fault != isAskedTwice {
						t.Errorf("the operation has no statement")
					}
					t.Logf("fault %d before statement %d, each %d", fault, n, step)
				}
			})
		}
	})
}

// faulty is a site behind a proxy that makes one statement fail, and the result of the operation on
// the site without a fault.
type faulty struct {
	*site
	operation
	config        config.Config // through the proxy
	fault         atomic.Int32  // a fate
	next          atomic.Int32  // statements until the fault, counted down; 0: none
	said          string        // the result of the operation
	start, change string        // of the tables
	changed       bool          // the tables differ from those of the start
}

func newFaulty(t *testing.T, server *testbed.Server, name string) *faulty {
	t.Helper()
	s := siteIn(t, server, "mdl_")
	tenant := s.open(t)
	f := &faulty{site: s, operation: operations(read(t, tenant))[name], config: *s.config}
	if f.before != "" {
		s.Exec(t, f.before)
	}
	for _, table := range written {
		s.Exec(t, "CREATE TABLE {saved_"+table+"} AS SELECT * FROM {"+table+"}")
	}
	f.start = s.tables(t)
	f.config.DBPort = startProxy(t, &s.Server, f.decide).port
	said, err := f.do(t.Context(), tenant)
	if err = errors.Join(err, tenant.Close()); err != nil {
		t.Fatal(err)
	}
	f.said, f.change = fmt.Sprintf("%+v", said), s.tables(t)
	f.changed = f.change != f.start
	return f
}

func (f *faulty) decide(query string) fate {
	if query == "" || f.fault.Load() == int32(isAskedTwice) && !strings.HasPrefix(query, "SELECT") && !strings.HasPrefix(query, "SHOW") {
		return passes
	}
	if f.next.Load() > 0 && f.next.Add(-1) == 0 {
		return fate(f.fault.Load())
	}
	return passes
}

// at runs the operation with the fault at its statement n; false if it has fewer statements.
func (f *faulty) at(t *testing.T, fault fate, n int) bool {
	t.Helper()
	if f.changed {
		f.restore(t)
	}
	tenant := openConfig(t, &f.config)
	defer func() { _ = tenant.Close() }()
	tenant.sleep = func(context.Context, time.Duration) error { return nil }
	f.fault.Store(int32(fault))
	f.next.Store(int32(n))
	said, err := f.do(t.Context(), tenant)
	f.changed = f.change != f.start
	if f.next.Swap(0) > 0 {
		return false
	}
	if fault == isAskedTwice { // a caller that reads an old answer as that to its COMMIT does not wait for it
		_ = tenant.Close()
		f.awaitNoConnection(t)
		tenant = openConfig(t, &f.config)
		defer func() { _ = tenant.Close() }()
	}
	where := fmt.Sprintf("fault %d at statement %d: %v, %v", fault, n, said, err)
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), "PRIVATE") {
		t.Errorf("%s shows a key", where)
	}
	now := f.tables(t)
	switch {
	case now != f.start && now != f.change:
		t.Errorf("%s: stored is\n%s", where, now)
	case fault == isAskedTwice: // answers are taken for those of later statements
	case err == nil && (now != f.change || fmt.Sprintf("%+v", said) != f.said):
		t.Errorf("%s, but want %s, stored", where, f.said)
	case err != nil && fault == isLost && now != f.start:
		t.Errorf("%s, but it is stored", where)
	case err != nil && !errors.As(err, new(*AccessError)) && !errors.Is(err, ErrLockLost):
		t.Errorf("%s: it does not say what is wrong", where)
	}
	if now == f.start {
		if said, err := f.do(t.Context(), tenant); err != nil || fmt.Sprintf("%+v", said) != f.said || f.tables(t) != f.change {
			t.Errorf("%s; then %v, %v", where, said, err)
		}
	}
	return true
}

func (s *site) awaitNoConnection(t *testing.T) {
	t.Helper()
	for range 500 {
		if s.Value(t, "SELECT COUNT(*) FROM "+s.by("information_schema.processlist WHERE user", "pg_stat_activity WHERE usename")+" = ?", s.User) == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("a connection does not end")
}

// written are the tables that operations write to.
var written = []string{"config", "config_plugins", "mnet_host", "mnet_host2service"}

func (f *faulty) restore(t *testing.T) {
	t.Helper()
	var queries []string
	for _, table := range written {
		queries = append(queries, "DELETE FROM {"+table+"}", "INSERT INTO {"+table+"} SELECT * FROM {saved_"+table+"}")
	}
	f.Exec(t, strings.Join(queries, ";"))
	f.changed = false
}

// tables are all rows of these tables, without the ids that each try makes again: a setting that is
// an id is shown as the host it names.
func (s *site) tables(t *testing.T) string {
	t.Helper()
	host := "(SELECT CONCAT('of ', wwwroot) FROM {mnet_host} h WHERE " + s.by("h.id", "CAST(h.id AS TEXT)") + " = value)"
	var all []string
	for _, query := range []string{
		"SELECT name, CASE WHEN name LIKE '%_id' THEN " + host + " ELSE value END FROM {config} ORDER BY name",
		"SELECT plugin, name, value FROM {config_plugins} ORDER BY plugin, name",
		"SELECT wwwroot, name, ip_address, public_key, public_key_expires, applicationid, deleted FROM {mnet_host} ORDER BY wwwroot, name",
		"SELECT hostid, serviceid, publish, subscribe FROM {mnet_host2service} ORDER BY hostid, serviceid",
	} {
		all = append(all, s.Rows(t, query))
	}
	return strings.Join(all, "\n--\n")
}
