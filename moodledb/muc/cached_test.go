package muc

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

const (
	heldPair           = "-----BEGIN CERTIFICATE-----\nS3cret\n@@@@@@@@-----BEGIN PRIVATE KEY-----\nS3cret\n"
	heldHistory        = "a:0:{}"
	retiredCertificate = "-----BEGIN CERTIFICATE-----\nS3cret\n-----END CERTIFICATE-----\n"
	retiredKey         = "-----BEGIN PRIVATE KEY-----\nS3cret\n-----END PRIVATE KEY-----\n"

	wholeHeld = heldPair + "-----END PRIVATE KEY-----\n"
)

// held is the entry of plugin mnet as PHP writes it.
var held = fmt.Sprintf(`a:3:{s:7:"openssl";s:%d:"%s";s:15:"openssl_history";s:%d:"%s";s:7:"version";s:10:"2022041900";}`,
	len(heldPair), heldPair, len(heldHistory), heldHistory)

var heldSettings = map[string]string{"openssl": heldPair, "openssl_history": heldHistory, "version": "2022041900"}

// read returns what was read, and checks that no error shows any of it.
func (s site) read() []cachedSettings {
	s.t.Helper()
	all := s.open().cached(s.t.Context())
	for _, c := range all {
		text, _ := json.Marshal(c)
		if shown := fmt.Sprintf("%v %+v %#v %s %v", c, c, c, text, c.Err); strings.Contains(shown, "S3cret") {
			s.t.Errorf("it shows a secret: %s", shown)
		}
	}
	return all
}

// same compares everything except errors, of which it compares only whether there is one.
func same(t *testing.T, got []cachedSettings, want ...cachedSettings) {
	t.Helper()
	failed := cmp.Comparer(func(a, b error) bool { return (a == nil) == (b == nil) })
	if diff := cmp.Diff(want, got, failed); diff != "" {
		t.Error(diff)
	}
	for _, c := range got {
		var unreadable *UnreadableError
		if c.Err != nil && (!errors.As(c.Err, &unreadable) || unreadable.Store != c.Store || unreadable.Hint() == "" || strings.Contains(unreadable.Hint(), "purge_caches")) {
			t.Errorf("error %v", c.Err)
		}
	}
}

var errAny = errors.New("any")

func TestFileStoreShowsWhatIsCached(t *testing.T) {
	ours := md5Hex(identifier)
	for name, c := range map[string]struct {
		prepare func(site)
		want    []cachedSettings
	}{
		"nothing":                     {func(site) {}, []cachedSettings{{Store: "default_application"}}},
		"the entry":                   {func(s site) { s.write(entry(defaultStore, ours, "mnet"), held) }, []cachedSettings{{Store: "default_application", Settings: heldSettings}}},
		"an entry with nothing in it": {func(s site) { s.write(entry(defaultStore, ours, "mnet"), "a:0:{}") }, []cachedSettings{{Store: "default_application", Settings: map[string]string{}}}},
		"another entry only":          {func(s site) { s.write(entry(defaultStore, ours, "core"), held) }, []cachedSettings{{Store: "default_application"}}},
		"another site's entry only":   {func(s site) { s.write(entry(defaultStore, "0123", "mnet"), held) }, []cachedSettings{{Store: "default_application"}}},
		"a site that has just begun":  {func(s site) { s.configure("new-site-4.1"); s.write(entry(defaultStore, "unknown", "mnet"), held) }, []cachedSettings{{Store: "default_application", Settings: heldSettings}}},
		"an entry that is cut short":  {func(s site) { s.write(entry(defaultStore, ours, "mnet"), held[:60]) }, []cachedSettings{{Store: "default_application", Settings: map[string]string{}}}},
		"one that is cut after the pair": {func(s site) {
			s.write(entry(defaultStore, ours, "mnet"), fmt.Sprintf(`a:3:{s:7:"openssl";s:%d:"%s";s:15:"openssl_hist`, len(wholeHeld), wholeHeld))
		}, []cachedSettings{{Store: "default_application", Settings: map[string]string{"openssl": wholeHeld}}}},
		"one that is cut after a retired pair": {func(s site) {
			history := fmt.Sprintf(`a:1:{i:0;a:3:{s:11:"certificate";s:%d:"%s";s:11:"keypair_PEM";s:%d:"%s";s:7:"exp`, len(retiredCertificate), retiredCertificate, len(retiredKey), retiredKey)
			s.write(entry(defaultStore, ours, "mnet"), `a:3:{s:15:"openssl_history";s:9999:"`+history)
		}, []cachedSettings{{Store: "default_application", Settings: map[string]string{"openssl_history": fmt.Sprintf(`a:1:{i:0;a:2:{s:11:"certificate";s:%d:"%s";s:11:"keypair_PEM";s:%d:"%s";}}`, len(retiredCertificate), retiredCertificate, len(retiredKey), retiredKey)}}}},
		"one with text after it": {func(s site) { s.write(entry(defaultStore, ours, "mnet"), held+"x") }, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"one that is cut within the pair": {func(s site) {
			s.write(entry(defaultStore, ours, "mnet"), fmt.Sprintf(`a:3:{s:7:"openssl";s:%d:"%s`, len(wholeHeld), wholeHeld[:len(wholeHeld)-8]))
		}, []cachedSettings{{Store: "default_application", Settings: map[string]string{}}}},
		"an object":         {func(s site) { s.write(entry(defaultStore, ours, "mnet"), `O:8:"stdClass":0:{}`) }, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"what is too large": {func(s site) { s.write(entry(defaultStore, ours, "mnet"), strings.Repeat("S3cret", 200_000)) }, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"a directory":       {func(s site) { s.write(entry(defaultStore, ours, "mnet")+"/x", held) }, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"names that cannot be computed": {func(s site) {
			s.configure("default-3.11", "'area' => 'config',\n      'selectedsharingoption' => 2", "'area' => 'config',\n      'selectedsharingoption' => 4")
		}, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"a pipe": {func(s site) {
			path := s.write(entry(defaultStore, ours, "mnet"), "")
			if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)); err != nil {
				s.t.Fatal(err)
			}
		}, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"a link that leads out of the cache": {func(s site) {
			secret, path := s.write("secret", held), s.write(entry(defaultStore, ours, "mnet"), "")
			if err := errors.Join(os.Remove(path), os.Symlink(secret, path)); err != nil {
				s.t.Fatal(err)
			}
		}, []cachedSettings{{Store: "default_application", Err: errAny}}},
		"APCu, and what stands below it": {func(s site) { s.configure("apcu-3.11"); s.write(entry(defaultStore, ours, "mnet"), held) },
			[]cachedSettings{{Store: "default_application", Settings: heldSettings}, {Store: "APCu", Err: errAny}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.prepare(s)
			same(t, s.read(), c.want...)
		})
	}
}

func TestRootReadsNoEntryThatTheOwnerOfDatarootMayNot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may read more than others")
	}
	s := newSite(t)
	path := s.write(entry(defaultStore, md5Hex(identifier), "mnet"), held)
	if err := errors.Join(os.Chown(s.root, 33, 33), os.Chmod(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	got := s.read()
	same(t, got, cachedSettings{Store: "default_application", Err: errAny})
	if !errors.As(got[0].Err, new(*PermissionError)) {
		t.Errorf("error %v", got[0].Err)
	}
}

func TestReadingChangesNothing(t *testing.T) {
	s := newSite(t)
	gone, other := s.warm(defaultStore, md5Hex(identifier))
	s.read()
	s.present(append(gone, other)...)
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestRedisStoreShowsWhatIsCached(t *testing.T) {
	server := testbed.Redis(t, "")
	for name, c := range map[string]struct {
		entry string // "": none
		want  cachedSettings
	}{
		"nothing":                               {"", cachedSettings{}},
		"serialized by PHP":                     {held, cachedSettings{Settings: heldSettings}},
		"compressed by gzip":                    {zipped(held), cachedSettings{Settings: heldSettings}},
		"damaged after compression":             {zipped(held)[:100], cachedSettings{Err: errAny}},
		"compressed by zstd":                    {"\x28\xb5\x2f\xfd\x04S3cret", cachedSettings{Err: errAny}},
		"serialized by igbinary":                {"\x00\x00\x00\x02\x14S3cret", cachedSettings{Err: errAny}},
		"igbinary, compressed":                  {zipped("\x00\x00\x00\x02\x14S3cret"), cachedSettings{Err: errAny}},
		"what is too large":                     {strings.Repeat("S3cret", 200_000), cachedSettings{Err: errAny}},
		"what is too large once it is unpacked": {zipped(strings.Repeat("S3cret", 5_000_000)), cachedSettings{Err: errAny}},
		"something else":                        {"S3cret", cachedSettings{Err: errAny}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.oneServer(server.Addr, "lms_", "")
			hash := "lms_" + definitionHash()
			server.Client.Del(t.Context(), hash)
			if c.entry != "" {
				if err := server.Client.HSet(t.Context(), hash, entryName(md5Hex(identifier), "mnet"), c.entry).Err(); err != nil {
					t.Fatal(err)
				}
			}
			got := s.read()
			c.want.Store = got[len(got)-1].Store
			same(t, got, cachedSettings{Store: "default_application"}, c.want)
		})
	}
	t.Run("that does not answer", func(t *testing.T) {
		s := newSite(t)
		s.oneServer("127.0.0.1:1", "lms_", "")
		if got := s.read(); got[1].Err == nil {
			t.Errorf("%v", got)
		}
	})
}

// TestWhatPHPWritesToRedisIsRead lets PHP's Redis extension write with the serializers and
// compressors of cachestore_redis.
func TestWhatPHPWritesToRedisIsRead(t *testing.T) {
	php, server := testbed.PHP(t, "redis"), testbed.Redis(t, "")
	host, port, _ := strings.Cut(server.Addr, ":")
	script := `$r = new Redis(); $r->connect($argv[1], (int)$argv[2]); $value = ['openssl' => 'c@@@@@@@@k', 'version' => '1'];
		if ($argv[4] === 'gzip') { $value = gzencode(serialize($value)); } else { $r->setOption(Redis::OPT_SERIALIZER, (int)$argv[4]); }
		$r->hSet('lms_' . md5('1 core config'), $argv[3], $value);`
	for how, readable := range map[string]bool{"1": true, "gzip": true, "2": false} { // php, compressed, igbinary
		out, err := exec.CommandContext(t.Context(), php, "-r", script, "--", host, port, entryName(md5Hex(identifier), "mnet"), how).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s := newSite(t)
		s.oneServer(server.Addr, "lms_", "")
		got := s.read()
		if readable {
			same(t, got[1:], cachedSettings{Store: got[1].Store, Settings: map[string]string{"openssl": "c@@@@@@@@k", "version": "1"}})
		} else {
			same(t, got[1:], cachedSettings{Store: got[1].Store, Err: errAny})
		}
	}
}

func TestCachedByPHPReadsEveryStore(t *testing.T) {
	php, s := testbed.PHP(t), newStub(t)
	if err := os.Mkdir(filepath.Join(s.dataroot, "stores"), 0o755); err != nil {
		t.Fatal(err)
	}
	stores := map[string]string{
		"file-full": `{"core/config-mnet": {"openssl": "c@@@@@@@@S3cret", "openssl_history": "a:0:{}", "version": "1"}}`, "file-empty": `{}`,
		"file-odd": `{"core/config-mnet": "S3cret"}`, "redis-broken": `"throws"`, "redis-unready": `{}`, "apcu-memory": `{"core/config-mnet": {"openssl": "S3cret"}}`,
	}
	for name, text := range stores {
		if err := os.WriteFile(filepath.Join(s.dataroot, "stores", name+".json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.site(php, "", "").cached(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, cachedSettings{Store: "apcu-memory", Err: errAny}, cachedSettings{Store: "file-empty"}, cachedSettings{Store: "file-full", Settings: map[string]string{"openssl": "c@@@@@@@@S3cret", "openssl_history": "a:0:{}"}},
		cachedSettings{Store: "file-odd", Err: errAny}, cachedSettings{Store: "redis-broken", Err: errAny}, cachedSettings{Store: "redis-unready", Err: errAny})
	for _, c := range got {
		if (c.Store == "apcu-memory") != errors.Is(c.Err, rotate.ErrCacheInMemory) {
			t.Errorf("%s: %v", c.Store, c.Err)
		}
		if c.Err != nil && strings.Contains(c.Err.Error(), "cret") {
			t.Errorf("it shows a secret: %v", c.Err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dataroot, "was-filled")); err == nil {
		t.Error("a store was filled")
	}
}

func TestCachedByPHPSaysWhatWentWrong(t *testing.T) {
	php := testbed.PHP(t)
	for fault, problem := range map[string]string{"no database": "dml_connection_exception at ", "fatal": "fatal error at "} {
		s := newStub(t)
		got, err := s.site(php, "", fault).cached(t.Context())
		var failed *PHPError
		if !errors.As(err, &failed) || !strings.HasPrefix(failed.Problem, problem) || got != nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %v, %v", fault, got, err)
		}
	}
}

func TestAStoreIsUnreadableOnlyWhereNobodyCouldReadIt(t *testing.T) {
	failed := &UnreadableError{"x", errAny}
	for name, c := range map[string]struct{ a, b, want []cachedSettings }{
		"by neither":           {[]cachedSettings{{Store: "x", Err: failed}}, []cachedSettings{{Store: "x", Err: failed}}, []cachedSettings{{Store: "x", Err: failed}, {Store: "x", Err: failed}}},
		"by one":               {[]cachedSettings{{Store: "x", Err: failed}}, []cachedSettings{{Store: "x", Settings: heldSettings}}, []cachedSettings{{Store: "x", Settings: heldSettings}}},
		"by the other":         {[]cachedSettings{{Store: "x"}}, []cachedSettings{{Store: "x", Err: failed}}, []cachedSettings{{Store: "x"}}},
		"one does not know it": {[]cachedSettings{{Store: "x", Err: failed}}, nil, []cachedSettings{{Store: "x", Err: failed}}},
		"one could in part":    {[]cachedSettings{{Store: "x", Settings: heldSettings}, {Store: "x", Err: failed}}, nil, []cachedSettings{{Store: "x", Settings: heldSettings}, {Store: "x", Err: failed}}},
		"others are others":    {[]cachedSettings{{Store: "x", Err: failed}}, []cachedSettings{{Store: "y"}}, []cachedSettings{{Store: "x", Err: failed}, {Store: "y"}}},
	} {
		t.Run(name, func(t *testing.T) { same(t, merge(c.a, c.b), c.want...) })
	}
}

// Nobody can read the memory of a web server. As long as another store is unread, which somebody can
// read, the key may be there, and must not be given up.
func TestAStoreInMemoryIsNamedOnlyIfNothingElseIsUnread(t *testing.T) {
	memory := cachedSettings{Store: "memory", Err: &UnreadableError{"memory", rotate.ErrCacheInMemory}}
	for name, other := range map[string]cachedSettings{
		"a file of another user": {Store: "file", Err: &UnreadableError{"file", &PermissionError{Owner: "www-data", Err: errAny}}},
		"a damaged history":      {Store: "file", Settings: map[string]string{"openssl_history": "a:1:{"}},
		"a file that was read":   {Store: "file", Settings: heldSettings},
	} {
		for _, stores := range [][]cachedSettings{{other, memory}, {memory, other}} {
			_, err := pairsIn(stores)
			if errors.Is(err, rotate.ErrCacheInMemory) != (name == "a file that was read") || strings.Contains(err.Error(), `"file"`) == errors.Is(err, rotate.ErrCacheInMemory) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// What another site may lose with a damaged entry cannot be saved here: it is left to that site.
func TestADamagedEntryOfAnotherSiteIsNotRemoved(t *testing.T) {
	retired := fmt.Sprintf(`a:3:{s:15:"openssl_history";s:9999:"a:1:{i:0;a:3:{s:11:"certificate";s:%d:"%s";s:11:"keypair_PEM";s:%d:"%s";s:7:"exp`,
		len(retiredCertificate), retiredCertificate, len(retiredKey), retiredKey)
	for name, entry := range map[string]string{
		"with a retired pair": retired + strings.Repeat("x", leastPair),
		"cut within a pair":   `a:3:{s:7:"openssl";s:9999:"-----BEGIN CERTIFICATE-----` + strings.Repeat("x", leastPair),
	} {
		if !mayHoldKey([]byte(entry)) {
			t.Error(name)
		}
	}
}
