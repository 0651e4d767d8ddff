package testbed

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Called is the result of a sealed call from one site to another.
type Called struct {
	OK       bool     // the answer was sealed to the caller's key and signed by the callee's
	Fault    int      // the answer was a fault
	Error    string   // text of the fault, or why no answer could be read
	Learned  bool     // the caller stored a newer certificate of the callee
	Services []string // what the callee offers to the caller
}

// Call makes this site send a sealed call of system/listServices to the host of wwwroot, which it
// must know.
func (s *Site) Call(t testing.TB, wwwroot string) Called {
	t.Helper()
	var called Called
	s.page(t, "/test/call.php?to="+url.QueryEscape(wwwroot), &called)
	return called
}

// Peer makes the two sites know each other, with single sign-on bound in both directions.
func (s *Site) Peer(t testing.TB, other *Site) {
	t.Helper()
	s.know(t, other)
	other.know(t, s)
}

func (s *Site) know(t testing.TB, other *Site) {
	t.Helper()
	s.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification)
		VALUES (?, '127.0.0.1', ?, ?, ?, (SELECT id FROM {mnet_application} WHERE name = 'moodle'), 2)`,
		other.Wwwroot, other.options.FullName, other.Certificate(t), other.Expires(t))
	s.DB.Exec(t, `INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe) SELECT h.id, s.id, 1, 1
		FROM {mnet_host} h, {mnet_service} s WHERE h.wwwroot = ? AND s.name IN ('sso_idp', 'sso_sp')`, other.Wwwroot)
}

// ownID is the id of the local host row.
func (s *Site) ownID(t testing.TB) int {
	t.Helper()
	id, err := strconv.Atoi(s.DB.Value(t, "SELECT value FROM {config} WHERE name = 'mnet_localhost_id'"))
	if err != nil {
		t.Fatalf("testbed: mnet_localhost_id: %v", err)
	}
	return id
}

// Certificate is the PEM in the local host row, which the site answers to a keyswap.
func (s *Site) Certificate(t testing.TB) string {
	t.Helper()
	return s.DB.Value(t, "SELECT public_key FROM {mnet_host} WHERE id = ?", s.ownID(t))
}

// Expires is public_key_expires of the local host row, in unix seconds.
func (s *Site) Expires(t testing.TB) string {
	t.Helper()
	return s.DB.Value(t, "SELECT public_key_expires FROM {mnet_host} WHERE id = ?", s.ownID(t))
}

// Held is the PEM in this site's row of the host of wwwroot, "" if it does not know it.
func (s *Site) Held(t testing.TB, wwwroot string) string {
	t.Helper()
	return s.DB.Value(t, "SELECT public_key FROM {mnet_host} WHERE wwwroot = ?", wwwroot)
}

// Warm makes the web server read its settings, so that its cache is filled.
func (s *Site) Warm(t testing.TB) { s.do(t, "/test/cache.php?do=warm") }

// Purge empties the configuration cache.
func (s *Site) Purge(t testing.TB) { s.do(t, "/test/cache.php?do=purge") }

// Renewal says how thoroughly a site renews its key by itself. In no case does it push to a peer.
type Renewal struct {
	Forget bool // the old pair is not put into the history
	Stale  bool // the cache keeps the old pair
}

// Renew makes the site replace its key.
func (s *Site) Renew(t testing.TB, r Renewal) {
	t.Helper()
	query := url.Values{}
	if !r.Forget {
		query.Set("archive", "1")
	}
	if r.Stale {
		query.Set("stale", "1")
	}
	s.handKey(t)
	s.do(t, "/test/renew.php?"+query.Encode())
}

// Expire makes the site's key one that expired a minute ago: the next sealed call, in or out, makes
// the site renew by itself.
func (s *Site) Expire(t testing.TB) {
	t.Helper()
	s.DB.Exec(t, "UPDATE {mnet_host} SET public_key_expires = ? WHERE id = ?", time.Now().Unix()-60, s.ownID(t))
}

// BrokenPHPRenewal does to the site what VMoodle's PHP tool does: a new pair is stored past the
// cache, the host row keeps the old certificate, the old certificate is pushed to every peer, and
// the history is not written.
func (s *Site) BrokenPHPRenewal(t testing.TB) {
	t.Helper()
	s.handKey(t)
	s.do(t, "/test/broken_renewal.php")
}

// SetMNet switches the site's dispatcher on or off.
func (s *Site) SetMNet(t testing.TB, on bool) {
	t.Helper()
	mode := "off"
	if on {
		mode = "strict"
	}
	s.DB.Exec(t, "UPDATE {config} SET value = ? WHERE name = 'mnet_dispatcher_mode'", mode)
	s.Purge(t)
}

// Maintain puts the site into CLI maintenance until its test ends.
func (s *Site) Maintain(t testing.TB) {
	t.Helper()
	file := filepath.Join(s.Dataroot, "climaintenance.html")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file) })
}

func (s *Site) do(t testing.TB, path string) {
	t.Helper()
	var done bool
	s.page(t, path, &done)
}
