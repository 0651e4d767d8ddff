package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"renew_mnetkeys/testbed"
)

// A PHP site whose key has expired renews in the next sealed call, in or out, as
// Moodle does. The run does not call an expired site, so that it is held on its
// way to the database: before the statement that locks the rows, or the site
// would have to wait for us.
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
			port, reached, release := holdStatement(t, own.DB, "name IN ('openssl', 'openssl_history') FOR UPDATE")
			run := startFor(t, own, "--timeout=60s", fmt.Sprintf("--cfg=dboptions.dbport=%d", port))
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
			end.expect(t, 1, "the tenant's key has been changed meanwhile", "hint: Moodle renewed by itself at expiry")
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

// startFor starts a run for one site.
func startFor(t *testing.T, s *testbed.Site, args ...string) *running {
	t.Helper()
	cmd := command(t, append([]string{"--config=" + s.ConfigFile}, args...)...)
	end := begin(t, cmd)
	r := &running{cmd, make(chan ran, 1)}
	go func() { r.done <- end() }()
	return r
}

// holdStatement is a way to the database, by its port, on which the first
// statement that has text in it is held. reached is closed when it is there.
func holdStatement(t *testing.T, db *testbed.Database, text string) (port int, reached <-chan struct{}, release func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	there, gate := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	held := sync.OnceFunc(func() {
		close(there)
		<-gate
	})
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
				for buffer := make([]byte, 64<<10); ; { // a statement is one write of the driver
					n, err := client.Read(buffer)
					if bytes.Contains(buffer[:n], []byte(text)) {
						held()
					}
					if _, failed := server.Write(buffer[:n]); err != nil || failed != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, there, release
}
