package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// A PHP site whose key has expired renews in the next sealed call, in or out, as Moodle does. The
// run does not call an expired site, so the run is stopped on its way to the database: before the
// statement that locks the rows, or the site would have to wait for the run.
func TestMoodleRenewsAtExpiryBetweenOurReadingAndOurWriting(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(own, stock *testbed.Site) testbed.Called{
		"when a peer calls it":   func(own, stock *testbed.Site) testbed.Called { return stock.Call(t, own.Wwwroot) },
		"when it calls somebody": func(own, stock *testbed.Site) testbed.Called { return own.Call(t, stock.Wwwroot) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, forced, stock := threeSites(t)
			old, oldCertificate := pairOf(t, own), own.Certificate(t)
			own.Expire(t)
			way := passageTo(t, own.DB)
			reached, release := way.holdAfter(t, 1, "name IN ('openssl', 'openssl_history') FOR UPDATE") // the first reads it
			run := startFor(t, own, "--timeout=60s", fmt.Sprintf("--cfg=dboptions.dbport=%d", way.port))
			run.at(t, reached) // it has read the old key, and made a new one
			if pairOf(t, own) != old {
				t.Fatal("the site has renewed before anybody called")
			}
			if called := call(own, stock); !called.OK {
				t.Errorf("the call: %+v", called)
			}
			theirs, certificate := pairOf(t, own), own.Certificate(t)
			if theirs == old {
				t.Fatal("the site has not renewed")
			}
			release()
			end := <-run.done
			end.expect(t, 1, "the key was changed by another program meanwhile", "hint: Moodle renewed the key by itself")
			if pairOf(t, own) != theirs || coherent(t, own) != certificate {
				t.Error("Moodle's key is not the current one")
			}
			if got := historyOf(t, own); !slices.Equal(got, []string{old}) {
				t.Errorf("%d retired pairs, or other ones", len(got))
			}
			if forced.Held(t, own.Wwwroot) != oldCertificate || stock.Held(t, own.Wwwroot) != certificate {
				t.Error("a peer was told of a key that is not stored")
			}
			renewIt(t, own).expect(t, 0, "2 of 2 peers proven")
			if got := historyOf(t, own); !slices.Equal(got, []string{theirs, old}) {
				t.Errorf("%d retired pairs after the next run, or other ones", len(got))
			}
			for _, peer := range []*testbed.Site{forced, stock} {
				if peer.Held(t, own.Wwwroot) != coherent(t, own) {
					t.Errorf("%s does not hold the current certificate", peer.Wwwroot)
				}
				linked(t, own, peer)
			}
		})
	}
}

// The other order: the PHP site has found its key expired before the run's COMMIT, and writes its
// renewal over the run's after it. Its statements take effect one by one, so it may have written
// some when the run reads.
func TestMoodleOverwritesOurKeyWithItsRenewalAtExpiry(t *testing.T) {
	t.Parallel()
	const history, pair, row = "\x0fopenssl_history", "\x07openssl", "SET wwwroot = ?, ip_address = ?"
	for name, c := range map[string]struct {
		late  string // the first of the site's statements after the run's COMMIT
		told  bool   // it comes while the run pushes to its peers, otherwise before its first proof
		code  int
		texts []string
	}{
		"with everything, before our proof":            {history, false, 1, []string{"the key was changed by another program meanwhile", "hint: Moodle renewed the key by itself"}},
		"with pair and row, before our proof":          {pair, false, 1, []string{"the key was changed by another program meanwhile"}},
		"with the row alone, before our proof":         {row, false, 1, []string{"the old key was restored"}},
		"with everything, while our peers are told":    {history, true, 3, []string{"the key was changed by another program meanwhile", "hint: Moodle renewed the key by itself"}},
		"with pair and row, while our peers are told":  {pair, true, 3, []string{"the key was changed by another program meanwhile"}},
		"with the row alone, while our peers are told": {row, true, 4, []string{"at the last look, the local site used another key"}},
	} {
		if c.late != history && !testbed.Long() {
			continue // each takes long, and these two lose most
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, forced, stock := threeSites(t)
			old := pairOf(t, own)
			own.Expire(t)
			way := reachesItsDatabaseBy(t, own)
			held, reads := way, "h.wwwroot = ? AND" // the run's first proof, as it comes in
			if c.told {
				held, reads = reachesItsDatabaseBy(t, stock), "_mnet_host2service b" // its answer to the run, after it has learnt the run's key
			}
			writes, letWrite := way.hold(t, c.late)
			renewing := make(chan testbed.Called, 1)
			go func() {
				defer close(renewing)
				renewing <- own.Call(t, forced.Wwwroot)
			}()
			select {
			case <-writes:
			case called := <-renewing:
				t.Fatalf("it has not renewed: %+v", called)
			}
			reached, letAnswer := held.hold(t, reads)
			run := startFor(t, own, "--timeout=60s", fmt.Sprintf("--cfg=dboptions.dbport=%d", own.DB.Port))
			run.at(t, reached)
			ours := pairOf(t, own)
			if c.told {
				waitFor(t, "the other peer to be told", func() bool { return holds(ours, forced.Held(t, own.Wwwroot)) })
				if !holds(ours, stock.Held(t, own.Wwwroot)) {
					t.Fatal("the peer that is held has not learnt our key")
				}
			}
			letWrite()
			<-renewing // whatever came of its call, it has written
			if overwritten := pairOf(t, own) != ours; overwritten != (c.late != row) || ours == old {
				t.Fatalf("our pair is overwritten: %v", overwritten)
			}
			letAnswer()
			end := <-run.done
			end.expect(t, c.code, c.texts...)
			keys := append(historyOf(t, own), pairOf(t, own))
			for _, peer := range []*testbed.Site{forced, stock} {
				if !slices.ContainsFunc(keys, func(pair string) bool { return holds(pair, peer.Held(t, own.Wwwroot)) }) {
					t.Errorf("%s holds a certificate whose key is gone", peer.Wwwroot)
				}
			}
			if !slices.Contains(keys, old) {
				t.Error("the old pair is gone")
			}
			renewIt(t, own).expect(t, 0, "2 of 2 peers proven")
			for _, peer := range []*testbed.Site{forced, stock} {
				if peer.Held(t, own.Wwwroot) != coherent(t, own) {
					t.Errorf("%s does not hold the current certificate", peer.Wwwroot)
				}
				linked(t, own, peer)
			}
		})
	}
}

// reachesItsDatabaseBy gives a site a way to its database on which its statements can be stopped.
// It is restarted, since PHP keeps a compiled config.php for a while.
func reachesItsDatabaseBy(t *testing.T, s *testbed.Site) *passage {
	t.Helper()
	p := passageTo(t, s.DB)
	config, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	config = bytes.Replace(config, fmt.Appendf(nil, "'dbport' => %d", s.DB.Port), fmt.Appendf(nil, "'dbport' => %d", p.port), 1)
	if err := os.WriteFile(s.ConfigFile, config, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	return p
}

// startFor starts a run for one site.
func startFor(t *testing.T, s *testbed.Site, args ...string) *running {
	t.Helper()
	cmd := command(t, append([]string{"--config=" + s.ConfigFile}, args...)...)
	end := begin(t, cmd)
	r := &running{cmd, make(chan ran, 1)}
	go func() { r.done <- end() }()
	return r
}

// passage is a way to a database, by its port, on which statements can be stopped.
type passage struct {
	port   int
	mu     sync.Mutex
	holds  map[string]func() // by a text of the statement
	passed map[string]int    // how many of them pass before that, by the same text
}

// hold stops the next statement that contains text. reached is closed when the statement arrives.
func (p *passage) hold(t *testing.T, text string) (reached <-chan struct{}, release func()) {
	t.Helper()
	return p.holdAfter(t, 0, text)
}

// holdAfter lets the given number of statements pass first.
func (p *passage) holdAfter(t *testing.T, passed int, text string) (reached <-chan struct{}, release func()) {
	t.Helper()
	there, gate := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed[text] = passed
	p.holds[text] = func() {
		close(there)
		<-gate
	}
	return there, release
}

// pass returns when the statement may go on.
func (p *passage) pass(statement []byte) {
	p.mu.Lock()
	var held func()
	for text, hold := range p.holds {
		if held == nil && bytes.Contains(statement, []byte(text)) {
			if p.passed[text]--; p.passed[text] >= 0 {
				continue
			}
			held = hold
			delete(p.holds, text)
		}
	}
	p.mu.Unlock()
	if held != nil {
		held()
	}
}

func passageTo(t *testing.T, db *testbed.Database) *passage {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &passage{port: listener.Addr().(*net.TCPAddr).Port, holds: map[string]func(){}, passed: map[string]int{}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
			if err != nil {
				_ = client.Close()
				return
			}
			go func() {
				defer func() { _ = client.Close() }()
				_, _ = io.Copy(client, server)
			}()
			go func() {
				defer func() { _ = server.Close() }()
				for buffer := make([]byte, 64<<10); ; { // a statement is one write of driver and PHP
					n, err := client.Read(buffer)
					p.pass(buffer[:n])
					if _, failed := server.Write(buffer[:n]); err != nil || failed != nil {
						return
					}
				}
			}()
		}
	}()
	return p
}
