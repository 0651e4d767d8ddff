package testbed

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSitesTalkSealed(t *testing.T) {
	stock, patched := PHPSite(t, Options{Kind: Stock}), PHPSite(t, Options{Kind: Patched, Prefix: "x_", Socket: true, Server: PostgreSQL(t), Schema: "Rooms"})
	stock.Peer(t, patched)
	for name, pair := range map[string][2]*Site{
		"stock calls patched": {stock, patched},
		"patched calls stock": {patched, stock},
	} {
		t.Run(name, func(t *testing.T) {
			called := pair[0].Call(t, pair[1].Wwwroot)
			if !called.OK || called.Learned || !slices.Equal(called.Services, []string{"sso_idp", "sso_sp"}) {
				t.Fatalf("%+v", called)
			}
		})
	}
	t.Run("an unknown host gets an answer that says so", func(t *testing.T) {
		stranger := PHPSite(t, Options{})
		stranger.know(t, stock)
		if called := stranger.Call(t, stock.Wwwroot); called.Fault != 7020 {
			t.Fatalf("%+v", called)
		}
	})
}

func TestSiteRenewsByItself(t *testing.T) {
	for _, kind := range []Kind{Stock, Patched} {
		t.Run(fmt.Sprintf("a %s peer heals when called, with history", kind), func(t *testing.T) {
			own, peer := pair(t, Options{Kind: kind})
			own.Renew(t, Renewal{})
			called := own.Call(t, peer.Wwwroot)
			if !called.OK || peer.Held(t, own.Wwwroot) != own.Certificate(t) {
				t.Fatalf("%+v, and the peer has the new key: %t", called, peer.Held(t, own.Wwwroot) == own.Certificate(t))
			}
		})
	}
	t.Run("a peer that calls learns the new key from 7025", func(t *testing.T) {
		own, peer := pair(t, Options{})
		own.Renew(t, Renewal{})
		if called := peer.Call(t, own.Wwwroot); !called.OK || !called.Learned || peer.Held(t, own.Wwwroot) != own.Certificate(t) {
			t.Fatalf("%+v", called)
		}
	})
	t.Run("after three renewals it still heals, after four no more", func(t *testing.T) {
		own, peer := pair(t, Options{})
		for range 3 {
			own.Renew(t, Renewal{})
		}
		if called := own.Call(t, peer.Wwwroot); !called.OK {
			t.Fatalf("after three: %+v", called)
		}
		for range 4 {
			own.Renew(t, Renewal{})
		}
		if called := own.Call(t, peer.Wwwroot); called.OK {
			t.Fatalf("after four: %+v", called)
		}
	})
	t.Run("without history the link stays broken both ways", func(t *testing.T) {
		own, peer := pair(t, Options{})
		own.Renew(t, Renewal{Forget: true})
		for range 2 {
			if called := peer.Call(t, own.Wwwroot); called.Fault != 7023 {
				t.Fatalf("the peer calls: %+v", called)
			}
			// 710 is sealed to the old key, so the caller cannot even read it.
			if called := own.Call(t, peer.Wwwroot); called.OK || called.Fault != 0 || called.Error != "no key match" {
				t.Fatalf("calls the peer: %+v", called)
			}
		}
	})
	t.Run("an expired key is replaced in the next sealed call, and archived", func(t *testing.T) {
		own, peer := pair(t, Options{})
		old := own.Certificate(t)
		own.Expire(t)
		if answer := own.keyswap(t, peer.Wwwroot, peer.Certificate(t), 1); !answer.has(old) {
			t.Fatal("a keyswap has made it renew")
		}
		if called := peer.Call(t, own.Wwwroot); !called.OK || !called.Learned || own.Certificate(t) == old {
			t.Fatalf("%+v", called)
		}
		history := own.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")
		if !strings.Contains(history, old) {
			t.Fatal("the old certificate is not in the history")
		}
	})
}

func TestSiteCache(t *testing.T) {
	for _, cache := range []Cache{FileCache, RedisCache, StackedCache} {
		t.Run(fmt.Sprintf("a stale %s cache answers stale until it is purged", cache), func(t *testing.T) {
			own, peer := pair(t, Options{Cache: cache, RedisPassword: "p:w", RedisPrefix: "a_"})
			old := own.Certificate(t)
			own.Warm(t)
			own.Renew(t, Renewal{Stale: true})
			if own.publicKey(t) != old || own.Certificate(t) == old {
				t.Fatal("publickey.php does not show the old certificate, or the host row does")
			}
			if answer := own.keyswap(t, peer.Wwwroot, peer.Certificate(t)); !answer.has(own.Certificate(t)) {
				t.Fatalf("keyswap: %+v", answer)
			}
			peer.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", own.Certificate(t), own.Wwwroot)
			if called := peer.Call(t, own.Wwwroot); called.Fault != 7023 {
				t.Fatalf("stale: %+v", called)
			}
			own.Purge(t)
			if called := peer.Call(t, own.Wwwroot); !called.OK {
				t.Fatalf("purged: %+v", called)
			}
		})
	}
	t.Run("entries are where Moodle has them", func(t *testing.T) {
		s := PHPSite(t, Options{Cache: StackedCache, RedisPrefix: "a_"})
		s.Warm(t)
		identifier := s.DB.Value(t, "SELECT value FROM {config} WHERE name = 'siteidentifier'")
		definition := md5.Sum(fmt.Appendf(nil, "1/core/config/%x", md5.Sum([]byte(identifier))))
		name := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%x-mnet", definition)))
		file := filepath.Join(s.Dataroot, "cache/cachestore_file/default_application/core_config", name[:3]+"-cache", name+".cache")
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), s.Certificate(t)) {
			t.Errorf("file: %v", err)
		}
		found, err := s.Redis.Client.HExists(context.Background(), "a_1b088c226629b3fa247ff7ef67dad266", name).Result()
		if err != nil || !found {
			t.Errorf("redis: %t, %v", found, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		s.Warm(t)
		if _, err := os.Stat(file); err == nil {
			t.Error("the file store is refilled though Redis has the entry")
		}
	})
	t.Run("without muc/config.php it is the file store", func(t *testing.T) {
		s := PHPSite(t, Options{Cache: FileCache})
		s.Purge(t)
		if err := os.RemoveAll(filepath.Join(s.Dataroot, "muc")); err != nil {
			t.Fatal(err)
		}
		s.Warm(t)
		entries, err := filepath.Glob(filepath.Join(s.Dataroot, "cache/cachestore_file/default_application/core_config/*-cache/*.cache"))
		if err != nil || len(entries) != 2 {
			t.Fatalf("%q, %v", entries, err)
		}
	})
}

func TestSiteKeyswap(t *testing.T) {
	stock, patched := pair(t, Options{Kind: Patched})
	tests := []struct {
		name    string
		callee  *Site
		wwwroot string
		pem     string
		force   []any
		stores  bool
		answers string // "" for the callee's certificate
	}{
		{"patched, forced, known: stores", patched, stock.Wwwroot, "", []any{1}, true, ""},
		{"patched, not forced: stores nothing", patched, stock.Wwwroot, "", nil, false, ""},
		{"patched, a trailing slash: unknown", patched, stock.Wwwroot + "/", "", []any{1}, false, "<boolean>0</boolean>"},
		{"patched, another site's certificate: refused", patched, stock.Wwwroot, patched.Certificate(t), []any{1}, false, "Error writing to database"},
		{"patched, garbage: refused", patched, stock.Wwwroot, "garbage", []any{1}, false, "Error writing to database"},
		{"stock, forced: looks accepted, stores nothing", stock, patched.Wwwroot, "", []any{1}, false, ""},
		{"stock, unknown: its certificate all the same", stock, "http://nobody.invalid", "", nil, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			caller := map[*Site]*Site{stock: patched, patched: stock}[test.callee]
			caller.Renew(t, Renewal{Forget: true})
			held, pem := test.callee.Held(t, caller.Wwwroot), test.pem
			if pem == "" {
				pem = caller.Certificate(t)
			}
			answer := test.callee.keyswap(t, test.wwwroot, pem, test.force...)
			want := test.answers
			if want == "" {
				want = test.callee.Certificate(t)
			}
			if answer.status != http.StatusOK || !answer.has(want) {
				t.Errorf("answered %+v", answer)
			}
			if stored := test.callee.Held(t, caller.Wwwroot) != held; stored != test.stores {
				t.Errorf("stored: %t", stored)
			}
		})
	}
}

func TestSiteThatIsNotWell(t *testing.T) {
	t.Run("without RC4 it answers keyswaps, and 7023 to every sealed call", func(t *testing.T) {
		own, peer := pair(t, Options{NoRC4: true})
		if answer := peer.keyswap(t, own.Wwwroot, own.Certificate(t), 1); !answer.has(peer.Certificate(t)) {
			t.Errorf("keyswap: %+v", answer)
		}
		if called := own.Call(t, peer.Wwwroot); called.Fault != 7023 {
			t.Errorf("%+v", called)
		}
	})
	t.Run("with MNet off it is a 404", func(t *testing.T) {
		s := PHPSite(t, Options{})
		s.SetMNet(t, false)
		if answer := s.keyswap(t, s.Wwwroot, "", 1); answer.status != http.StatusNotFound || !strings.Contains(answer.body, "mnetdisabled") {
			t.Errorf("%+v", answer)
		}
	})
	t.Run("in maintenance it is a 503", func(t *testing.T) {
		s := PHPSite(t, Options{})
		s.Maintain(t)
		if answer := s.keyswap(t, s.Wwwroot, "", 1); answer.status != http.StatusServiceUnavailable || answer.header.Get("Retry-After") == "" {
			t.Errorf("%+v", answer)
		}
	})
	t.Run("stopped it is not there, started it is again", func(t *testing.T) {
		own, peer := pair(t, Options{})
		peer.Stop()
		if called := own.Call(t, peer.Wwwroot); called.OK || called.Fault != 0 {
			t.Errorf("stopped: %+v", called)
		}
		peer.Start(t)
		if called := own.Call(t, peer.Wwwroot); !called.OK {
			t.Errorf("started: %+v", called)
		}
	})
	t.Run("what is neither sealed nor a keyswap is 7021", func(t *testing.T) {
		s := PHPSite(t, Options{})
		for _, body := range []string{"", "<html>", "<methodCall><methodName>system/listServices</methodName></methodCall>"} {
			if answer := s.post(t, body); !strings.Contains(answer.body, "7021") {
				t.Errorf("%q: %+v", body, answer)
			}
		}
	})
	t.Run("its home page has a title", func(t *testing.T) {
		s := PHPSite(t, Options{FullName: "A & B"})
		if page := s.get(t, "/"); !strings.Contains(page.body, "<title>A &amp; B</title>") {
			t.Errorf("%+v", page)
		}
	})
}

func TestBrokenPHPRenewal(t *testing.T) {
	own, peer := pair(t, Options{Kind: Patched})
	old := own.Certificate(t)
	own.Warm(t)
	own.BrokenPHPRenewal(t)
	stored := own.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'")
	if strings.HasPrefix(stored, old) || own.Certificate(t) != old || peer.Held(t, own.Wwwroot) != old {
		t.Error("wanted a new pair, the old host row, and the old certificate at the peer")
	}
	if history := own.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'"); history != "" {
		t.Error("the history was written")
	}
	if called := own.Call(t, peer.Wwwroot); !called.OK {
		t.Errorf("with the cache it had: %+v", called)
	}
	own.Purge(t)
	if called := own.Call(t, peer.Wwwroot); called.OK {
		t.Errorf("purged, calls: %+v", called)
	}
	if called := peer.Call(t, own.Wwwroot); called.Fault != 7023 {
		t.Errorf("purged, is called: %+v", called)
	}
}

// pair is a stock site with a file cache, except for own's cache, and a peer with the other
// options.
func pair(t *testing.T, options Options) (own, peer *Site) {
	t.Helper()
	ownOptions := Options{Cache: options.Cache, RedisPassword: options.RedisPassword, RedisPrefix: options.RedisPrefix}
	options.Cache = FileCache
	own, peer = PHPSite(t, ownOptions), PHPSite(t, options)
	own.Peer(t, peer)
	return own, peer
}

type reply struct {
	status int
	header http.Header
	body   string
}

// has reports whether the text is in the body, whose line feeds may be character references.
func (r reply) has(text string) bool {
	return strings.Contains(strings.ReplaceAll(r.body, "&#10;", "\n"), strings.TrimSpace(text))
}

func (s *Site) keyswap(t testing.TB, wwwroot, certificate string, force ...any) reply {
	t.Helper()
	params := ""
	for _, text := range []string{wwwroot, certificate, "moodle"} {
		params += "<param><value><string>" + text + "</string></value></param>"
	}
	if len(force) > 0 {
		params += fmt.Sprintf("<param><value><int>%d</int></value></param>", force...)
	}
	return s.post(t, `<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params>`+params+`</params></methodCall>`)
}

func (s *Site) post(t testing.TB, body string) reply {
	t.Helper()
	return read(t)(http.Post(s.Wwwroot+"/mnet/xmlrpc/server.php", "text/xml", strings.NewReader(body)))
}

func (s *Site) get(t testing.TB, path string) reply {
	t.Helper()
	return read(t)(http.Get(s.Wwwroot + path))
}

func (s *Site) publicKey(t testing.TB) string { return s.get(t, "/mnet/publickey.php").body }

func read(t testing.TB) func(*http.Response, error) reply {
	return func(response *http.Response, err error) reply {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply{response.StatusCode, response.Header, string(body)}
	}
}
