package moodledb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// mishap is what happens to one packet, of either direction, once.
type mishap struct {
	at int    // number of the packet in the connection pool, counted over both directions from 1
	do string // cut, cut after, delay, twice; gone, gone after: cut, and the server accepts no more connections
}

func (m mishap) String() string { return fmt.Sprintf("%s packet %d", m.do, m.at) }

// troubled is a proxy between a tenant and its server that causes one mishap.
type troubled struct {
	mishap
	passed atomic.Int64 // packets so far
	gone   atomic.Bool
}

// through is the site's configuration with p in between.
func (s *site) through(t *testing.T, p *troubled) *config.Config {
	t.Helper()
	server := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			end := func() { _ = client.Close(); _ = upstream.Close() }
			go p.copy(upstream, client, end)
			go p.copy(client, upstream, end)
		}
	}()
	config := *s.config
	config.DBPort = listener.Addr().(*net.TCPAddr).Port
	return &config
}

// copy passes packets on; they begin in the same way in both directions: length, number.
func (p *troubled) copy(to, from net.Conn, end func()) {
	defer end()
	for {
		packet, _, err := readPacket(from)
		if err != nil || p.gone.Load() {
			return
		}
		times := 1
		if int(p.passed.Add(1)) == p.at {
			p.gone.Store(strings.HasPrefix(p.do, "gone"))
			switch p.do {
			case "cut", "gone":
				return
			case "cut after", "gone after":
				_, _ = to.Write(packet)
				return
			case "delay":
				time.Sleep(50 * time.Millisecond)
			case "twice":
				times = 2
			}
		}
		for range times {
			if _, err := to.Write(packet); err != nil {
				return
			}
		}
	}
}

// packets counts the packets without a mishap: until the key has been read, and until it is stored.
// The last is the answer to COMMIT.
func (s *site) packets(t *testing.T) (untilRead, all int) {
	t.Helper()
	_ = s.open(t).Close() // the first login of an account may need more packets than the others
	p := &troubled{}
	tenant := openConfig(t, s.through(t, p))
	defer func() { _ = tenant.Close() }()
	change := renewal(read(t, tenant))
	untilRead = int(p.passed.Load())
	if err := storeKey(t.Context(), tenant, change); err != nil {
		t.Fatal(err)
	}
	return untilRead, int(p.passed.Load())
}

// drawn is a random mishap; every second one is within StoreKey.
func drawn(seed uint64, untilRead, all int) mishap {
	random := rand.New(rand.NewPCG(seed, 0))
	m := mishap{1 + random.IntN(all), []string{"cut", "cut after", "delay", "twice", "gone", "gone after"}[random.IntN(6)]}
	if random.IntN(2) == 0 {
		m.at = untilRead + 1 + random.IntN(all-untilRead)
	}
	return m
}

const (
	isStored         = "stored"
	isNotStored      = "not stored, and said so"
	storedPerhaps    = "stored, and said to be uncertain"
	notStoredPerhaps = "not stored, and said to be uncertain"
)

// The property: whatever happens to a single packet between the tool and the server, StoreKey
// reports truthfully whether the change took effect, the state is the one before or the one after,
// and a second run without a mishap ends with a new key and the old one kept.
func TestStoreKeyWhateverHappensToAPacket(t *testing.T) {
	t.Parallel()
	seeds := testbed.Seeds(t, 40, 2000)
	s := newSite(t, "mdl_")
	first := s.stored(t)
	untilRead, all := s.packets(t)
	said, inStoreKey := map[string]int{}, 0
	try := func(m mishap, of string) {
		s.putBack(t, first)
		result := s.storeBeside(t, m)
		said[result]++
		if m.at > untilRead {
			inStoreKey++
		}
		if t.Failed() {
			t.Fatalf("%s: %s of %d and %d: %s", of, m, untilRead, all-untilRead, result)
		}
	}
	// Random draws seldom hit these, and each outcome must occur in every run.
	for _, m := range []mishap{{all, "cut"}, {all, "gone"}, {all - 1, "cut"}, {all - 1, "gone"}} {
		try(m, "COMMIT or its answer")
	}
	for _, seed := range seeds {
		try(drawn(seed, untilRead, all), fmt.Sprintf("%s=%d", testbed.EnvSeed, seed))
	}
	for _, outcome := range []string{isStored, isNotStored, storedPerhaps, notStoredPerhaps} {
		if said[outcome] == 0 {
			t.Errorf("nothing was %s", outcome)
		}
	}
	t.Logf("%d mishaps, %d of them to one of the %d packets of StoreKey, %d before: %v", len(seeds)+4, inStoreKey, all-untilRead, untilRead, said)
}

func (s *site) putBack(t *testing.T, to stored) {
	t.Helper()
	s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl'", to.pair)
	s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", to.history)
	s.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE id = 1", to.ownKey, to.ownExpires)
}

// storeBeside renews with a mishap, which must happen, and then without.
func (s *site) storeBeside(t *testing.T, m mishap) (said string) {
	t.Helper()
	before := s.stored(t)
	p := &troubled{mishap: m}
	err := s.renewThrough(t, p, before)
	if int(p.passed.Load()) < m.at {
		t.Errorf("only %d packets have passed", p.passed.Load())
	}
	s.awaitNoConnection(t) // a server that cannot be reached any more may still be at the COMMIT
	now := s.stored(t)
	switch {
	case err == nil && now == renewed():
		said = isStored
	case errors.Is(err, rotate.ErrUncertain) && now == renewed():
		said = storedPerhaps
	case errors.Is(err, rotate.ErrUncertain) && now == before:
		said = notStoredPerhaps
	case err != nil && now == before && (m.do == "twice" || !errors.Is(err, rotate.ErrConflict)):
		said = isNotStored
	default:
		t.Errorf("%v, but stored is %+v", err, now)
	}
	if errors.Is(err, rotate.ErrUncertain) && !p.gone.Load() {
		t.Errorf("the server could have been asked: %v", err)
	}
	if now == before {
		again := s.open(t)
		defer func() { _ = again.Close() }()
		if err := storeKey(t.Context(), again, renewal(read(t, again))); err != nil || s.stored(t) != renewed() {
			t.Errorf("the second run: %v, stored is %+v", err, s.stored(t))
		}
	}
	return said
}

// renewThrough is a run, from its first connection on.
func (s *site) renewThrough(t *testing.T, p *troubled, before stored) error {
	t.Helper()
	tenant, err := Open(t.Context(), s.through(t, p))
	if err != nil {
		return err
	}
	defer func() { _ = tenant.Close() }()
	pauses := 0
	tenant.sleep = func(ctx context.Context, _ time.Duration) error {
		if pauses++; p.gone.Load() && pauses == 3 {
			return context.DeadlineExceeded
		}
		return ctx.Err()
	}
	seen, err := tenant.Read(t.Context())
	if err != nil {
		return err
	}
	// A command that arrives twice is answered twice, and the driver takes one of the two answers
	// for that of the next command. What it reads from that is not accepted as the stored value
	// when the stored value must be replaced.
	if p.do != "twice" && (seen.Read.Pair != before.pair || seen.Read.History != before.history || seen.Own.Certificate != before.ownKey) {
		t.Errorf("read what is not stored: %+v", seen)
	}
	return storeKey(t.Context(), tenant, renewal(seen))
}
