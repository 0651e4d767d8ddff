package moodledb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
)

func newServers(t *testing.T, perServer int) *Servers {
	t.Helper()
	s := NewServers(perServer)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// soon is a context for calls that must not wait.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestServersBoundConnections(t *testing.T) {
	t.Parallel()
	one, two := newSite(t, "mdl_"), newSite(t, "mdl_")
	servers := newServers(t, 3)
	open := func(s *site) *Tenant {
		t.Helper()
		tenant, err := servers.Open(t.Context(), s.config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tenant.Close() })
		return tenant
	}
	first, second := open(one), open(two)

	t.Run("beyond them one waits, until its context ends", func(t *testing.T) {
		if _, err := servers.Open(soon(t), one.config); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("locks need no place", func(t *testing.T) {
		for _, s := range []*site{one, two} {
			l, err := servers.Acquire(t.Context(), s.config, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Release() }()
		}
		connections := one.Value(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE user IN (?, ?)", one.User, two.User)
		if connections != "3" {
			t.Errorf("%s connections", connections)
		}
	})
	t.Run("a tenant has one", func(t *testing.T) {
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if _, err := second.Read(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := one.Value(t, "SELECT COUNT(*) FROM information_schema.processlist WHERE db = ? AND user = ?", two.Name, two.User); n != "1" {
			t.Errorf("%s connections", n)
		}
	})
	t.Run("closing a tenant gives one place back, also when it is closed twice", func(t *testing.T) {
		_ = second.Close()
		_ = second.Close()
		second = open(two)
		if _, err := servers.Open(soon(t), one.config); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("who waits is served then", func(t *testing.T) {
		got := make(chan error, 1)
		go func() {
			third, err := servers.Open(context.Background(), one.config)
			if err == nil {
				err = third.Close()
			}
			got <- err
		}()
		time.Sleep(50 * time.Millisecond)
		_ = first.Close()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
	t.Run("a tenant that cannot be opened keeps no place", func(t *testing.T) {
		config := *one.config
		config.DBPass = "wrong"
		for range 5 {
			if _, err := servers.Open(t.Context(), &config); !errors.As(err, new(*AccessError)) {
				t.Errorf("got %v", err)
			}
		}
		open(one)
	})
}

func TestServersAreToldApart(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	servers := newServers(t, 1) // which gives two
	down := *s.config
	down.DBPort = closedPort(t)
	tenant, err := servers.Open(t.Context(), s.config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tenant.Close() }()
	if _, err := servers.Open(t.Context(), &down); !errors.As(err, new(*AccessError)) {
		t.Errorf("a server that is down: %v", err)
	}
	bySocket := *s.config
	bySocket.DBHost, bySocket.DBSocket = "localhost", s.Socket
	other, err := servers.Open(t.Context(), &bySocket)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
	broken := *s.config
	broken.DBHost = "no host"
	if _, err := servers.Open(t.Context(), &broken); !errors.As(err, new(*config.Error)) {
		t.Errorf("a host that is none: %v", err)
	}
	if _, err := servers.Acquire(t.Context(), &broken, 0); !errors.As(err, new(*config.Error)) {
		t.Errorf("a lock there: %v", err)
	}
}

func TestServersThatAreClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mdl_")
	servers := NewServers(4)
	l, err := servers.Acquire(t.Context(), s.config, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Held(t.Context()); !errors.Is(err, ErrLockLost) {
		t.Errorf("got %v", err)
	}
	if _, err := servers.Open(t.Context(), s.config); err == nil {
		t.Error("opened a tenant")
	}
	if _, err := servers.Acquire(t.Context(), s.config, 0); err == nil {
		t.Error("took a lock")
	}
}

// TestAServerThatSwallowsPackets has many tenants of a server that accepts connections and never
// answers, a few at a time, as in a run: they share its time limits instead of waiting one by one.
func TestAServerThatSwallowsPackets(t *testing.T) {
	t.Parallel()
	const tenants, atOnce = 60, 12
	s := newSite(t, "mdl_")
	for name, reach := range map[string]func(context.Context, *Servers, *config.Config) error{
		"opened": func(ctx context.Context, s *Servers, c *config.Config) error { _, err := s.Open(ctx, c); return err },
		"locked": func(ctx context.Context, s *Servers, c *config.Config) error { _, err := s.Lock(ctx, c, 0); return err },
	} {
		t.Run(name, func(t *testing.T) {
			port, asked := muteServer(t)
			servers := newServers(t, 4)
			work, errs := make(chan string), make(chan error, tenants)
			var group sync.WaitGroup
			for range atOnce {
				group.Go(func() {
					for name := range work {
						config := *s.config
						config.DBPort, config.DBName, config.ConnectTimeout = port, name, 300*time.Millisecond
						err := reach(context.Background(), servers, &config)
						var access *AccessError
						if !errors.As(err, &access) || access.Server != server(&config) || access.Hint() == "" {
							err = fmt.Errorf("%s: unexpected %w", name, err)
						} else {
							err = nil
						}
						errs <- err
					}
				})
			}
			for i := range tenants {
				work <- fmt.Sprintf("tenant%d", i)
			}
			close(work)
			group.Wait()
			for range tenants {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if n := asked.Load(); n > atOnce {
				t.Errorf("%d attempts to connect for %d tenants", n, tenants)
			}
		})
	}
}

// muteServer accepts connections, says nothing, and counts them.
func muteServer(t *testing.T) (port int, asked *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	asked = new(atomic.Int64)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			t.Cleanup(func() { _ = client.Close() })
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, asked
}

func TestReach(t *testing.T) {
	t.Parallel()
	config := &config.Config{DBHost: "db.example", DBName: "mine"}
	timeout := &AccessError{Server: "another's", Problem: "no answer in time", Advice: "look", Err: context.DeadlineExceeded}
	refuses := &AccessError{Problem: "no such account", Err: deadlock}
	fail := func(err error) func() error { return func() error { return err } }
	ask := func(t *testing.T, r *reach) int {
		t.Helper()
		seen, err := r.ask(config)
		if err != nil {
			t.Fatalf("told: %v", err)
		}
		return seen
	}
	t.Run("who waited while it failed is told, in words about the own database", func(t *testing.T) {
		r := &reach{}
		first, second := ask(t, r), ask(t, r)
		_ = r.try(config, first, fail(timeout))
		err := r.try(config, second, func() error { t.Error("tried"); return nil })
		var told *AccessError
		if !errors.As(err, &told) || told.Server != server(config) || told.Problem != timeout.Problem || told.Hint() != timeout.Hint() {
			t.Errorf("got %v", err)
		}
	})
	t.Run("who comes later tries, and nobody beside", func(t *testing.T) {
		r := &reach{}
		_ = r.try(config, ask(t, r), fail(timeout))
		seen, waits := ask(t, r), ask(t, r)
		_ = r.try(config, seen, func() error {
			if _, err := r.ask(config); err == nil {
				t.Error("a third one was let through")
			}
			if err := r.try(config, waits, fail(nil)); err == nil {
				t.Error("a second one was let through")
			}
			return nil
		})
		if err := r.try(config, waits, fail(nil)); err != nil {
			t.Errorf("after an answer: %v", err)
		}
	})
	t.Run("after any answer it counts as up", func(t *testing.T) {
		for _, answer := range []error{nil, refuses} {
			r := &reach{}
			_ = r.try(config, ask(t, r), fail(timeout))
			_ = r.try(config, ask(t, r), fail(answer))
			_ = r.try(config, ask(t, r), func() error { ask(t, r); return nil })
		}
	})
	for name, answer := range map[string]error{
		"an answer that refuses is one":                refuses,
		"so is a demand for a password of an old kind": explain(config, mysql.ErrOldPassword),
		"so is an unknown way to log in":               explain(config, mysql.ErrUnknownPlugin),
		"so is a demand for a password in the clear":   explain(config, mysql.ErrCleartextPassword),
		"so is having no TLS":                          explain(config, mysql.ErrNoTLS),
		"so is a certificate that is not trusted":      explain(config, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
		"a cancelled attempt says nothing":             fmt.Errorf("connect: %w", context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			r := &reach{}
			first, second := ask(t, r), ask(t, r)
			if err := r.try(config, first, fail(answer)); err != answer {
				t.Errorf("got %v", err)
			}
			if err := r.try(config, second, fail(nil)); err != nil {
				t.Errorf("told: %v", err)
			}
		})
	}
}
