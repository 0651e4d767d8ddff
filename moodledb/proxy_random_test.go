package moodledb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// envLong makes the property test try many seeds.
const envLong = "MNETKEYS_TEST_LONG"

// mishap is what happens to one packet, of either direction, once.
type mishap struct {
	at int    // which packet of the connection pool, counted over both directions
	do string // cut, cut after, delay, twice
}

func (m mishap) String() string { return fmt.Sprintf("%s packet %d", m.do, m.at) }

// troubled stands between a tenant and its server, and has a mishap ready.
type troubled struct {
	mishap
	passed atomic.Int64 // packets so far
	armed  atomic.Bool
}

// startTroubled returns the port.
func startTroubled(t *testing.T, server string, p *troubled) int {
	t.Helper()
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
	return listener.Addr().(*net.TCPAddr).Port
}

// copy passes packets on, which begin the same in both directions: length, number.
func (p *troubled) copy(to, from net.Conn, end func()) {
	defer end()
	for {
		packet, _, err := readPacket(from)
		if err != nil {
			return
		}
		times := 1
		if p.armed.Load() && int(p.passed.Add(1)) == p.at {
			switch p.do {
			case "cut":
				return
			case "cut after":
				_, _ = to.Write(packet)
				return
			case "delay":
				time.Sleep(300 * time.Millisecond)
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

// The property: whatever happens to a single packet between us and the server, StoreKey says truly what became of the change, the
// state is the one before or the one after, and a second run that nothing happens to ends with a new key and the old one kept.
func TestStoreKeyWhateverHappensToAPacket(t *testing.T) {
	seeds := make([]uint64, 40)
	if os.Getenv(envLong) != "" {
		seeds = make([]uint64, 2000)
	}
	for i := range seeds {
		seeds[i] = uint64(rand.Uint32())
	}
	if fixed := os.Getenv(envSeed); fixed != "" {
		seed, err := strconv.ParseUint(fixed, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	s := newSite(t, "mdl_")
	first := s.stored(t)
	said := map[string]int{}
	for _, seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 0))
		m := mishap{1 + random.IntN(60), []string{"cut", "cut after", "delay", "twice"}[random.IntN(4)]}
		s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl'", first.pair)
		s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", first.history)
		s.Exec(t, "UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE id = 1", first.ownKey, first.ownExpires)
		result := s.storeBeside(t, m)
		said[result]++
		if t.Failed() {
			t.Fatalf("%s=%d: %s: %s", envSeed, seed, m, result)
		}
	}
	t.Logf("%d mishaps: %v", len(seeds), said)
}

// storeBeside renews with a mishap, from the first connection on, and then without.
func (s *site) storeBeside(t *testing.T, m mishap) (said string) {
	t.Helper()
	before := s.stored(t)
	p := &troubled{mishap: m}
	p.armed.Store(true)
	config := *s.config
	config.DBPort = startTroubled(t, fmt.Sprintf("%s:%d", s.Host, s.Port), p)
	var change KeyChange
	tenant, err := Open(t.Context(), &config)
	if err == nil {
		defer func() { _ = tenant.Close() }()
		var seen *Site
		if seen, err = tenant.Read(t.Context()); err == nil {
			// A command that arrives twice is answered twice, and the driver takes the first of the two answers for that of the next
			// command. What it makes of it does not pass for what is stored when that is to be replaced.
			if m.do != "twice" && (seen.RawPair != before.pair || seen.RawHistory != before.history || seen.Own.PublicKey != before.ownKey) {
				t.Errorf("read what is not stored: %+v", seen)
			}
			change = renewal(seen)
			err = tenant.StoreKey(t.Context(), change)
		}
	}
	now := s.stored(t)
	switch {
	case err == nil && now == renewed():
		said = "stored"
	case err != nil && now == before && (m.do == "twice" || !errors.Is(err, ErrConflict)):
		said = "not stored, and said so"
	case errors.Is(err, ErrUncertain) && now == renewed():
		said = "stored, and said to be uncertain"
	default:
		t.Errorf("%v, but stored is %+v", err, now)
	}
	again := s.open(t)
	defer func() { _ = again.Close() }()
	if now == before {
		if err := again.StoreKey(t.Context(), renewal(read(t, again))); err != nil || s.stored(t) != renewed() {
			t.Errorf("the second run: %v, stored is %+v", err, s.stored(t))
		}
	}
	return said
}
