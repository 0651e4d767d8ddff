package muc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// oneServer has core/config in this server alone, in addition to the default file store. password
// is a PHP literal.
func (s site) oneServer(server, prefix, password string) {
	s.configure("redis-4.1", "127.0.0.1:6379", server, "lms_", prefix, `it\'s \\secret\\`, password)
}

// fill puts entries of core/config into a hash as Moodle does.
func fill(t *testing.T, client redis.UniversalClient, hash string) {
	t.Helper()
	for _, key := range []string{"mnet", "core", "theme_boost"} {
		if err := client.HSet(t.Context(), hash, entryName(md5Hex(identifier), key), "a:1:{…}").Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func length(t *testing.T, client redis.UniversalClient, hash string) int64 {
	t.Helper()
	n, err := client.HLen(t.Context(), hash).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRedisStoreDropsItsFieldsAndThenItsHash(t *testing.T) {
	const awkward = `it's \secret\`
	open, closed := testbed.Redis(t, ""), testbed.Redis(t, awkward)
	tests := []struct {
		name   string
		redis  *testbed.RedisServer
		server string
		prefix string
		secret string // as a PHP literal
	}{
		{"host and port", open, open.Addr, "", ""},
		{"prefix", open, open.Addr, "lms_", ""},
		{"prefix and password that are empty to PHP", open, open.Addr, "0", "0"},
		{"socket", open, open.Socket, "lms_", ""},
		{"socket as 5.0 may have it", open, "unix://" + open.Socket, "lms_", ""},
		{"only the first of several lines without clustermode", open, "\n " + open.Addr + " \n127.0.0.1:1", "", ""},
		{"password", closed, closed.Addr, "lms_", `it\'s \\secret\\`},
		{"a password the server does not ask for", open, open.Addr, "", "needless"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			prefix := strings.TrimPrefix(test.prefix, "0")
			hash, others := prefix+"1b088c226629b3fa247ff7ef67dad266", prefix+"another_definition"
			fill(t, test.redis.Client, hash)
			fill(t, test.redis.Client, others)
			s := newSite(t)
			s.oneServer(test.server, test.prefix, test.secret)
			for _, step := range []struct {
				scope         rotate.Scope
				removed, left int64
			}{{rotate.ScopeEntry, 2, 1}, {rotate.ScopeEntry, 0, 1}, {rotate.ScopeDefinition, 1, 0}, {rotate.ScopeDefinition, 0, 0}} {
				r := s.drop(step.scope)
				if left := length(t, test.redis.Client, hash); int64(removed(r)) != step.removed || left != step.left {
					t.Errorf("scope %s: removed %d, %d left, want %d and %d", step.scope, removed(r), left, step.removed, step.left)
				}
			}
			if left := length(t, test.redis.Client, others); left != 3 {
				t.Errorf("another definition has %d entries left of 3", left)
			}
		})
	}
}

// Several sites can share a hash: the cached pair of one may be its only copy, and is not dropped
// for another site.
func TestTheKeyPairOfAnotherSiteIsSparedAtScopeDefinition(t *testing.T) {
	server := testbed.Redis(t, "")
	const hash = "1b088c226629b3fa247ff7ef67dad266"
	pair := strings.Repeat("pair of another site\n", 100)
	entry := fmt.Sprintf(`a:1:{s:7:"openssl";s:%d:"%s";}`, len(pair), pair)
	fill(t, server.Client, hash)
	for field, value := range map[string]string{"theirs": entry, "packed": "\x00\x00\x00\x02" + entry, "settings": `a:1:{s:4:"name";s:2000:"` + strings.Repeat("x", 2000) + `";}`} {
		if err := server.Client.HSet(t.Context(), hash, field, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t)
	s.oneServer(server.Addr, "", "")
	s.drop(rotate.ScopeDefinition)
	left, err := server.Client.HKeys(t.Context(), hash).Result()
	if slices.Sort(left); err != nil || !slices.Equal(left, []string{"packed", "theirs"}) {
		t.Errorf("left are %q, %v", left, err)
	}
}

func TestRedisStoreFindsWhatPHPWrites(t *testing.T) {
	php, server := testbed.PHP(t, "redis"), testbed.Redis(t, "secret")
	script := `$r = new Redis(); $r->connect("127.0.0.1", (int)$argv[1]); $r->auth("secret"); $r->setOption(Redis::OPT_PREFIX, "lms_");
		$r->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP); $hash = md5("1 core config"); $field = sha1(md5("1/core/config/" . md5($argv[2])) . "-mnet");
		if ($argv[3]) $r->hSet($hash, $field, ["openssl" => "-----BEGIN"]); echo var_export($r->hExists($hash, $field));`
	run := func(write string) string {
		_, port, _ := net.SplitHostPort(server.Addr)
		out, err := exec.CommandContext(t.Context(), php, "-r", script, "--", port, identifier, write).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := run("1"); got != "true" {
		t.Fatal(got)
	}
	s := newSite(t)
	s.oneServer(server.Addr, "lms_", "secret")
	s.drop(rotate.ScopeEntry)
	if got := run(""); got != "false" {
		t.Error("php still finds the entry: ", got)
	}
}

func TestRedisStoreThatCannotBeAskedIsUnreachable(t *testing.T) {
	server := testbed.Redis(t, "right-password")
	stopped := testbed.Redis(t, "")
	stopped.Stop()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	tests := []struct{ name, server, password, advice string }{
		{"down", stopped.Addr, "", "check that the Redis server runs"},
		{"its socket is gone", stopped.Socket, "", "check that the Redis server runs"},
		{"listens and says nothing", silent.Addr().String(), "", "check that the Redis server runs"},
		{"another password", server.Addr, "wrong-password", "correct the password"},
		{"no password where one is asked for", server.Addr, "", "correct the password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.oneServer(test.server, "", test.password)
			entries, _ := s.warm(defaultStore, md5Hex(identifier)) // the fallback
			cache, err := open(s.location(), options{DialTimeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			_, checked := cache.check(t.Context())
			start := time.Now()
			r, dropped := cache.drop(t.Context(), rotate.ScopeEntry)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			for _, err := range []error{checked, dropped} {
				var unreachable *UnreachableError
				if !errors.As(err, &unreachable) {
					t.Fatalf("want an UnreachableError, got %v", err)
				}
				if unreachable.Store != "Shared Redis" || unreachable.Server != test.server || !strings.HasPrefix(unreachable.Hint(), test.advice) {
					t.Errorf("got %+v, hint %s", unreachable, unreachable.Hint())
				}
			}
			s.absent(entries...)
			if r.Stores[0].Err != nil || r.Stores[0].Removed != 2 || !r.Stores[0].Fallback {
				t.Errorf("the fallback was not cleared: %+v", r.Stores[0])
			}
		})
	}
}

func TestRedisStoreWithoutAServerIsNoSuccess(t *testing.T) {
	for name, server := range map[string]string{"empty": "", "blank lines": " \n\n"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.oneServer(server, "", "")
			entries, _ := s.warm(defaultStore, md5Hex(identifier)) // the fallback
			cache := s.open()
			_, checked := cache.check(t.Context())
			_, dropped := cache.drop(t.Context(), rotate.ScopeEntry)
			for _, err := range []error{checked, dropped} {
				var unreachable *UnreachableError
				if !errors.As(err, &unreachable) || unreachable.Store != "Shared Redis" || !strings.Contains(unreachable.Hint(), "name its server in "+s.root) {
					t.Fatalf("want an UnreachableError with advice, got %v", err)
				}
				if text := err.Error(); text != `cache store "Shared Redis" (redis): it is configured without a server` {
					t.Error(text)
				}
			}
			s.absent(entries...)
		})
	}
}

func TestRedisStoreStopsWhenTheRunIsCancelled(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := newSite(t)
	s.oneServer(silent.Addr().String(), "", "")
	cache, err := open(s.location(), options{DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := cache.drop(ctx, rotate.ScopeEntry); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func TestRedisStoreSpeaksTLS(t *testing.T) {
	server := testbed.Redis(t, "secret")
	authority, certificate := tlsPair(t, "127.0.0.1")
	stranger, _ := tlsPair(t, "127.0.0.1")
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go forward(listener, server.Addr)
	const hash = "1b088c226629b3fa247ff7ef67dad266"
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, cafile string
		works        bool
	}{
		{"verified by cafile", authority, true},
		{"not verified without cafile, as in Moodle", "", true},
		{"refused under another authority", stranger, false},
		{"refused when cafile is missing", "/no/such/ca.pem", false},
		{"refused when cafile holds no certificate", empty, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fill(t, server.Client, hash)
			s := newSite(t)
			s.configure("cluster-5.0", "127.0.0.1:7001", listener.Addr().String(), "lms:", "", "'password' => ''", "'password' => 'secret'",
				"'encryption' => false", "'encryption' => true", "'cafile' => ''", "'cafile' => '"+test.cafile+"'", "'clustermode' => true", "'clustermode' => false")
			_, err := s.open().drop(t.Context(), rotate.ScopeEntry)
			if gone := length(t, server.Client, hash) == 1; gone != test.works || (err == nil) != test.works {
				t.Errorf("dropped: %t, error %v", gone, err)
			}
		})
	}
}

// The path comes from a file that the web user writes: whatever is there must neither delay a run
// nor fill its memory.
func TestCAFileThatIsNoFileOfOneMiBIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	pipe, large := filepath.Join(dir, "pipe.pem"), filepath.Join(dir, "large.pem")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(large, make([]byte, 1<<20+1), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, cafile := range map[string]string{"a pipe": pipe, "a device": "/dev/null", "a directory": dir, "a file that is too large": large} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.configure("cluster-5.0", "127.0.0.1:7001", "127.0.0.1:1", "'encryption' => false", "'encryption' => true", "'cafile' => ''", "'cafile' => '"+cafile+"'")
			cache := s.open()
			refused := make(chan error, 1)
			go func() {
				_, err := cache.drop(t.Context(), rotate.ScopeEntry)
				refused <- err
			}()
			select {
			case err := <-refused:
				var unreachable *UnreachableError
				if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "read cafile "+cafile+": not a regular file of at most 1 MiB") {
					t.Errorf("error %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Error("it is waited for")
			}
		})
	}
}

// forward removes TLS for a Redis server that does not speak it.
func forward(from net.Listener, to string) {
	for {
		in, err := from.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			_ = in.Close()
			return
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
	}
}

func TestStackedStoresLoseTheEntryInEachLowestFirst(t *testing.T) {
	server := testbed.Redis(t, "")
	s := newSite(t)
	s.configure("stacked-5.0", "/srv/localcache", s.root+"/local", "127.0.0.1:6379", server.Addr)
	const hash = "1b088c226629b3fa247ff7ef67dad266"
	fill(t, server.Client, hash)
	id := md5Hex(identifier)
	var entries []string
	for _, key := range []string{"mnet", "core"} {
		entries = append(entries, s.write(filepath.Join("local/core_config", entryName(id, key)+".cache"), "x"))
	}
	fallback, _ := s.warm(defaultStore, id)
	r := s.drop(rotate.ScopeEntry)
	s.absent(append(entries, fallback...)...)
	if left := length(t, server.Client, hash); left != 1 {
		t.Errorf("%d fields left", left)
	}
	var order []string
	for _, store := range r.Stores {
		order = append(order, store.Store)
	}
	if got := strings.Join(order, ", "); got != "default_application, async disk, redis, local disk" {
		t.Errorf("order was %s", got)
	}
}
