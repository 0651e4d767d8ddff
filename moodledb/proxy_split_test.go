package moodledb

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"renew_mnetkeys/rotate"
)

// splitter is a proxy that splits reads from writes as MaxScale's readwritesplit and ProxySQL do: a
// statement that only reads, outside a read-write transaction, goes to a replica. The replica is
// late: a database that is never written to.
type splitter struct {
	*proxy
	replica string // name of its database
	// sticky: all of a read-write transaction goes to the primary (MaxScale; ProxySQL with
	// transaction_persistent=1, its default). Otherwise only statements that lock go there, as with
	// ProxySQL's usual rules.
	sticky bool

	mu   sync.Mutex
	sent []string // to the replica
}

// connection gives the router of one client.
func (s *splitter) connection() func(query string) string {
	writes := false // inside a read-write transaction
	return func(query string) string {
		switch query {
		case "START TRANSACTION":
			writes = true
		case "COMMIT", "ROLLBACK":
			writes = false
		}
		if !strings.HasPrefix(query, "SELECT") || strings.HasSuffix(query, "FOR UPDATE") || writes && s.sticky {
			return query
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, query)
		return strings.ReplaceAll(query, "`mdl_", "`"+s.replica+"`.`mdl_")
	}
}

// toReplica are the statements that the replica got since the last call.
func (s *splitter) toReplica() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// split opens the site through such a proxy. The replica always has the content of a new site.
func (s *site) split(t *testing.T, sticky bool, decide func(query string) fate) (*Tenant, *splitter) {
	t.Helper()
	replica := newSite(t, "mdl_")
	s.Exec(t, "GRANT SELECT ON "+replica.Name+".* TO "+s.User)
	p := &splitter{replica: replica.Name, sticky: sticky}
	p.proxy = startProxy(t, &s.Server, decide)
	p.proxy.mu.Lock()
	p.route = p.connection
	p.proxy.mu.Unlock()
	config := *s.config
	config.DBPort = p.port
	return openConfig(t, &config), p
}

func allPass(string) fate { return passes }

func TestWhoOnlyLooksReadsTheReplica(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	tenant, p := s.split(t, true, allPass)
	s.Exec(t, "UPDATE {config_plugins} SET value = 'moodle@@@@@@@@key' WHERE name = 'openssl'")
	if got := read(t, tenant); got.Pair.Certificate != ownCert || len(p.toReplica()) == 0 {
		t.Errorf("read %q: the proxy of these tests splits nothing", got.Pair.Certificate)
	}
}

// throughProxies runs a test of a tenant that will change, behind each kind of proxy.
func throughProxies(t *testing.T, test func(t *testing.T, s *site, tenant *Tenant)) {
	for name, sticky := range map[string]bool{"a proxy that keeps transactions together": true, "a proxy that splits transactions too": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			tenant, _ := s.split(t, sticky, allPass)
			tenant.ForChanges()
			test(t, s, tenant)
		})
	}
}

func TestARunThatChangesReadsWhatItWrote(t *testing.T) {
	t.Parallel()
	throughProxies(t, func(t *testing.T, s *site, tenant *Tenant) {
		first := read(t, tenant)
		if err := storeKey(t.Context(), tenant, renewal(first)); err != nil {
			t.Fatal(err)
		}
		// This is what an undo does: it reads what is stored now, and puts the old pair back.
		own := *tenant
		own.WithoutPeers()
		for _, again := range []*Tenant{tenant, &own} {
			now, err := again.Read(t.Context())
			if err != nil || now.Pair.Certificate != newCert || now.Pair.PrivateKey != newKey || len(now.History) != 1 || now.Own.Certificate != newCert || now.Own.Expires != 1900000000 {
				t.Fatalf("read %+v, %v", now, err)
			}
		}
		now := read(t, tenant)
		undo := keyChange{Read: now, Keys: rotate.Keys{Stored: first.Pair, Expires: 1800000000,
			History: []rotate.Retired{{Stored: rotate.Stored{Certificate: newCert, PrivateKey: newKey}, Expires: 1900000000}}}}
		if err := storeKey(t.Context(), tenant, undo); err != nil {
			t.Fatal(err)
		}
		if got := s.stored(t); got.pair != first.Read.Pair || got.ownKey != ownCert || got.history != encodeHistory(undo.History) {
			t.Errorf("stored %+v", got)
		}
	})
}

func TestWhoOnlyLooksNeedsNoMoreThanToRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	s.leaveRights(t, "SELECT")
	tenant := s.open(t)
	moodle, err := s.DB.Begin() // locks the pair
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = moodle.Rollback() }()
	if _, err := moodle.Exec(s.SQL("UPDATE {config_plugins} SET value = 'x' WHERE name = 'openssl'")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, tenant); got.Pair.Certificate != ownCert {
		t.Errorf("read %q", got.Pair.Certificate)
	}
}

func TestALostCommitIsDecidedOnThePrimary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    fate
		stored bool
	}{
		"the server had committed": {goesUnsaid, true},
		"the server never got it":  {isLost, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			var wrote atomic.Bool
			tenant, _ := s.split(t, false, func(query string) fate {
				if strings.HasPrefix(query, "UPDATE") {
					wrote.Store(true)
				}
				if query == "COMMIT" && wrote.Swap(false) {
					return c.end
				}
				return passes
			})
			tenant.ForChanges()
			before := s.stored(t)
			err := storeKey(t.Context(), tenant, renewal(read(t, tenant)))
			if (err == nil) != c.stored {
				t.Errorf("got %v", err)
			}
			want := before
			if c.stored {
				want = renewed()
			}
			if got := s.stored(t); got != want {
				t.Errorf("stored %+v", got)
			}
		})
	}
}

func TestPeersKeysAreReadBackOnThePrimary(t *testing.T) {
	t.Parallel()
	throughProxies(t, func(t *testing.T, s *site, tenant *Tenant) {
		for i, want := range []rotate.StoreResult{rotate.KeyStored, rotate.KeyPresent} {
			kept, err := tenant.StorePeerKeys(t.Context(), []rotate.HostKey{offer("https://peer.example", 6)})
			if err != nil || !slices.Equal(kept, []rotate.StoreResult{want}) {
				t.Errorf("%d. time: %v, %v", i+1, kept, err)
			}
		}
		// The replica still has the peer's first certificate, and so has a caller that read it
		// there.
		if stored, err := tenant.storePeerKey(t.Context(), 3, peerCert, "v6", 6); !stored || err != nil {
			t.Errorf("what is there: %v, %v", stored, err)
		}
		if stored, err := tenant.storePeerKey(t.Context(), 3, peerCert, newCert, 7); stored || err != nil {
			t.Errorf("over what nobody has read: %v, %v", stored, err)
		}
		if got := s.Value(t, "SELECT CONCAT(public_key, ' ', public_key_expires) FROM {mnet_host} WHERE id = 3"); got != "v6 6" {
			t.Errorf("the row holds %q", got)
		}
	})
}

// TestNothingOfAChangeIsReadFromAReplica runs every operation of a tenant.
func TestNothingOfAChangeIsReadFromAReplica(t *testing.T) {
	t.Parallel()
	for name := range operations(&rotate.Tenant{Own: &rotate.Peer{}}) {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			op := operations(read(t, s.open(t)))[name]
			if op.before != "" {
				s.Exec(t, op.before)
			}
			tenant, p := s.split(t, true, allPass)
			tenant.ForChanges()
			if _, err := op.do(t.Context(), tenant); err != nil {
				t.Error(err)
			}
			if sent := p.toReplica(); len(sent) > 0 {
				t.Errorf("the replica was asked: %q", sent)
			}
		})
	}
}
