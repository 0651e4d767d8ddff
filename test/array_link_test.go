package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// vmoodle is an array: sites that share one code base and one config.php. Each site's web server
// runs as usual; the array's config.php is for the command, and for the php that it runs.
type vmoodle struct {
	config string // path of config.php
	master *testbed.Site
	sites  []*testbed.Site // the master first
}

// arrayEnd is the end of an array's config.php: VMoodle's guard and its vconfig.php.
const arrayEnd = `$CFG->dirroot   = '%s';

if (isset($CLI_VMOODLE_PRECHECK) && $CLI_VMOODLE_PRECHECK) {
    $CFG->wwwroot = 'http://precheck.invalid'; // whoever stops here has no tenant
    return;
}
include $CFG->dirroot.'/local/vmoodle/vconfig.php';

require_once($CFG->dirroot . '/lib/setup.php');
`

const vconfigPHP = `<?php
if (defined('CLI_SCRIPT') && CLI_SCRIPT && !defined('CLI_VMOODLE_OVERRIDE')) return;
require_once($CFG->dirroot.'/local/vmoodle/bootlib.php');

$CFG->vmasterdbhost  = '%s';
$CFG->vmasterdbtype  = 'mysqli';
$CFG->vmasterdbname  = '%s';
$CFG->vmasterdblogin = '%s';
$CFG->vmasterdbpass  = '%s';
$CFG->vmasterdbpersist = false;
$CFG->vmasterprefix  = '%s';

vmoodle_get_hostname();
vmoodle_boot_configuration();
`

// bootlibPHP replaces VMoodle's own file: it overrides $CFG by the values of the register's row, as
// MNET.md says.
const bootlibPHP = `<?php
function vmoodle_get_hostname() {
}

function vmoodle_boot_configuration() {
    global $CFG;
    $db = new mysqli($CFG->vmasterdbhost, $CFG->vmasterdblogin, $CFG->vmasterdbpass, $CFG->vmasterdbname, $CFG->dboptions['dbport']);
    $sql = "SELECT vhostname AS wwwroot, vdbtype AS dbtype, vdbhost AS dbhost, vdblogin AS dbuser, vdbpass AS dbpass, vdbname AS dbname,
        vdbprefix AS prefix, vdatapath AS dataroot FROM {$CFG->vmasterprefix}local_vmoodle WHERE vhostname = ? AND enabled = 1";
    $tenant = $db->execute_query($sql, [CLI_VMOODLE_OVERRIDE])->fetch_assoc();
    foreach ($tenant ?? die('VMoodling (Mysql) : No configuration for this host') as $name => $value) {
        $CFG->$name = $value;
    }
}
`

// newVMoodle makes an array out of running sites, all of them tenants without a sub-network.
func newVMoodle(t testing.TB, master *testbed.Site, tenants ...*testbed.Site) *vmoodle {
	t.Helper()
	v := &vmoodle{config: filepath.Join(t.TempDir(), "config.php"), master: master, sites: append([]*testbed.Site{master}, tenants...)}
	own, err := os.ReadFile(master.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	settings, _, ended := strings.Cut(string(own), "require_once(__DIR__")
	if !ended {
		t.Fatalf("%s does not end as expected", master.ConfigFile)
	}
	local := filepath.Join(master.Dirroot, "local", "vmoodle")
	if err := os.MkdirAll(local, 0o755); err != nil {
		t.Fatal(err)
	}
	db := master.DB
	for file, text := range map[string]string{
		v.config:                            settings + fmt.Sprintf(arrayEnd, master.Dirroot),
		filepath.Join(local, "vconfig.php"): fmt.Sprintf(vconfigPHP, db.Host, db.Name, db.User, db.Password, db.Prefix),
		filepath.Join(local, "bootlib.php"): bootlibPHP,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range tenants {
		dbtype, host := s.DB.DBType, s.DB.Host
		if dbtype == testbed.PostgreSQLType { // VMoodle's name of it; the port of config.php is that of the master's server
			dbtype, host = "postgres", fmt.Sprintf("%s:%d", s.DB.Host, s.DB.Port)
		}
		db.Exec(t, `INSERT INTO {local_vmoodle} (name, shortname, vhostname, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath)
			VALUES ('a tenant', 't', ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.Wwwroot, dbtype, host, s.DB.User, s.DB.Password, s.DB.Name, s.DB.Prefix, s.Dataroot)
	}
	return v
}

// says changes the register's row of a tenant.
func (v *vmoodle) says(t testing.TB, tenant *testbed.Site, change string) {
	t.Helper()
	v.master.DB.Exec(t, "UPDATE {local_vmoodle} SET "+change+" WHERE vhostname = ?", tenant.Wwwroot)
}

// renew runs the command with the array's config.php and checks that no secret is shown.
func (v *vmoodle) renew(t testing.TB, args ...string) ran {
	t.Helper()
	before := v.secrets(t)
	r := run1(t, command(t, append([]string{"--config=" + v.config}, args...)...))
	r.revealsNothing(t, before, v.secrets(t))
	return r
}

func (v *vmoodle) secrets(t testing.TB) (all []string) {
	t.Helper()
	for _, s := range v.sites {
		all = append(all, secrets(t, s)...)
	}
	return all
}

// rows are all rows of a site, without the certificates of the hosts in renewed; if the site itself
// is among them, also without its pair and history.
func rows(t testing.TB, s *testbed.Site, renewed ...*testbed.Site) string {
	t.Helper()
	var hosts []string
	for _, r := range renewed {
		hosts = append(hosts, r.Wwwroot)
	}
	set := strings.Join(hosts, ",")
	return strings.Join([]string{
		s.DB.Value(t, "SELECT GROUP_CONCAT(CONCAT_WS('|', id, name, value) ORDER BY id SEPARATOR '\n') FROM {config}"),
		s.DB.Value(t, `SELECT GROUP_CONCAT(CONCAT_WS('|', id, plugin, name, value) ORDER BY id SEPARATOR '\n') FROM {config_plugins}
			WHERE NOT (plugin = 'mnet' AND name IN ('openssl', 'openssl_history') AND FIND_IN_SET(?, ?))`, s.Wwwroot, set),
		s.DB.Value(t, `SELECT GROUP_CONCAT(CONCAT_WS('|', id, deleted, wwwroot, ip_address, name, applicationid, sslverification,
			IF(wwwroot <> '' AND FIND_IN_SET(wwwroot, ?), '', CONCAT(public_key, public_key_expires))) ORDER BY id SEPARATOR '\n') FROM {mnet_host}`, set),
		s.DB.Value(t, "SELECT GROUP_CONCAT(CONCAT_WS('|', id, hostid, serviceid, publish, subscribe) ORDER BY id SEPARATOR '\n') FROM {mnet_host2service}"),
		s.DB.Value(t, "SELECT GROUP_CONCAT(CONCAT_WS('|', id, vhostname, vdbname, mnet, enabled) ORDER BY id SEPARATOR '\n') FROM {local_vmoodle}"),
	}, "\n\n")
}

// cached are the entries of a site's configuration cache; files are listed with their times, so
// that an entry that was dropped and filled again differs.
func cached(t *testing.T, s *testbed.Site) string {
	t.Helper()
	var entries []string
	if s.Redis != nil {
		entries = s.Redis.Client.HKeys(t.Context(), "1b088c226629b3fa247ff7ef67dad266").Val()
		slices.Sort(entries)
	} else {
		files, _ := filepath.Glob(filepath.Join(s.Dataroot, "cache", "cachestore_file", "*", "core_config", "*", "*.cache"))
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, fmt.Sprint(file, info.ModTime()))
		}
	}
	if len(entries) < 2 {
		t.Fatalf("the cache of %s, which is warm, has the entries %q", s.Wwwroot, entries)
	}
	return strings.Join(entries, "\n")
}

// knows checks that a site's row of other is as VMoodle makes it, with the certificate that other
// uses now, and that its services are bound as given: name, publish, subscribe; services with
// neither are left out.
func knows(t *testing.T, s, other *testbed.Site, services string) {
	t.Helper()
	row := s.DB.Rows(t, `SELECT h.deleted, h.ip_address, h.name, a.name, h.sslverification, h.public_key_expires
		FROM {mnet_host} h JOIN {mnet_application} a ON a.id = h.applicationid WHERE h.wwwroot = ?`, other.Wwwroot)
	if want := "0|127.0.0.1|" + other.DB.Value(t, "SELECT fullname FROM {course} WHERE id = 1") + "|moodle|2|" + other.Expires(t); row != want {
		t.Errorf("%s has the row %q of %s, want %q", s.Wwwroot, row, other.Wwwroot, want)
	}
	if s.Held(t, other.Wwwroot) != other.Certificate(t) {
		t.Errorf("%s holds another certificate of %s than it uses", s.Wwwroot, other.Wwwroot)
	}
	bound := strings.ReplaceAll(s.DB.Rows(t, `SELECT CONCAT(s.name, ' ', b.publish, b.subscribe) FROM {mnet_host2service} b
		JOIN {mnet_service} s ON s.id = b.serviceid JOIN {mnet_host} h ON h.id = b.hostid
		WHERE h.wwwroot = ? AND b.publish + b.subscribe > 0 ORDER BY s.name`, other.Wwwroot), "\n", ", ")
	if bound != services {
		t.Errorf("%s has bound %q to %s, want %q", s.Wwwroot, bound, other.Wwwroot, services)
	}
}

// These services are bound according to MNET.md §6.
const (
	singleSignOn = "sso_idp 11, sso_sp 11"
	masterSide   = "dataexchange 10, mnetadmin 01, " + singleSignOn
	subSide      = "dataexchange 01, mnetadmin 10, " + singleSignOn
)

func patched(t *testing.T) *testbed.Site {
	t.Helper()
	return testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
}

func TestHostRenewsThatTenantAndNoOther(t *testing.T) {
	master := patched(t)
	files := testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched, Prefix: "t_"})
	redis := testbed.PHPSite(t, testbed.Options{Cache: testbed.RedisCache})
	v := newVMoodle(t, master, files, redis)
	master.Peer(t, files)
	master.Peer(t, redis)
	files.Peer(t, redis)
	for name, c := range map[string]struct {
		renewed *testbed.Site
		args    []string
		path    string // "": there is no php to help
	}{
		"the tenant of --host":      {files, []string{"--host=" + files.Wwwroot + "/"}, ""},
		"without --host the master": {master, nil, ""},
		// The tool's own reading of muc/config.php is led astray: only Moodle finds the tenant's
		// cache, if php loads it as that tenant.
		"a tenant whose cache only PHP finds": {redis, []string{"--host", redis.Wwwroot, "--cfg", "altcacheconfigpath=" + t.TempDir()}, os.Getenv("PATH")},
	} {
		t.Run(name, func(t *testing.T) {
			binary(t) // built while there is a PATH
			t.Setenv("PATH", c.path)
			before, caches, old := map[*testbed.Site]string{}, map[*testbed.Site]string{}, pairOf(t, c.renewed)
			for _, s := range v.sites {
				s.Warm(t)
				before[s], caches[s] = rows(t, s, c.renewed), cached(t, s)
			}
			r := v.renew(t, append(c.args, "--json", "--debug")...)
			r.expect(t, 0)
			if d := r.document(t); len(d.Tenants) != 1 || d.Tenants[0].Wwwroot != c.renewed.Wwwroot || len(d.Tenants[0].Peers) != 2 {
				t.Errorf("%+v", d)
			}
			if history := historyOf(t, c.renewed); len(history) == 0 || history[0] != old || pairOf(t, c.renewed) == old {
				t.Error("it has no new pair, or the old one is not first in the history")
			}
			certificate := coherent(t, c.renewed) // its stale cache had to be dropped for this
			for _, s := range v.sites {
				if after := rows(t, s, c.renewed); after != before[s] {
					t.Errorf("%s: other rows have changed:\n%s\n\nwere\n%s", s.Wwwroot, after, before[s])
				}
				if s == c.renewed {
					continue
				}
				if s.Held(t, c.renewed.Wwwroot) != certificate {
					t.Errorf("%s does not hold the new certificate", s.Wwwroot)
				}
				if cached(t, s) != caches[s] {
					t.Errorf("%s: its cache was touched", s.Wwwroot)
				}
				linked(t, c.renewed, s)
			}
		})
	}
}

func TestBindhostSubsConnectsEveryEnabledTenantBothWays(t *testing.T) {
	t.Parallel()
	master, a, bare := patched(t), patched(t), testbed.PHPSite(t, testbed.Options{FullName: "Bare & stock"})
	v := newVMoodle(t, master, a, bare)
	v.says(t, a, "mnet = 1")
	bare.DB.Exec(t, "DELETE FROM {mnet_service} WHERE name IN ('mnetadmin', 'dataexchange')")
	disabled, err := peertest.Start(peertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(disabled.Close)
	master.DB.Exec(t, "INSERT INTO {local_vmoodle} (vhostname, vdbname, vdatapath, enabled) VALUES (?, 'x', '/nowhere', 0)", disabled.Wwwroot())
	var before map[*testbed.Site]string
	for _, time := range []string{"the first run", "the second run"} {
		for _, s := range v.sites {
			s.Warm(t)
		}
		pair := pairOf(t, master)
		r := v.renew(t, "--bindhost=subs", "--json")
		r.expect(t, 0)
		if len(r.document(t).Tenants[0].Peers) != 2 || pairOf(t, master) == pair {
			t.Errorf("%s: not a renewal with two peers: %s", time, r.stdout)
		}
		coherent(t, master)
		knows(t, master, a, masterSide)
		knows(t, a, master, subSide)
		knows(t, master, bare, masterSide)
		knows(t, bare, master, singleSignOn)
		linked(t, master, a)
		linked(t, master, bare)
		if a.Held(t, bare.Wwwroot)+bare.Held(t, a.Wwwroot) != "" {
			t.Errorf("%s has connected tenants with each other", time)
		}
		if master.Held(t, disabled.Wwwroot()) != "" || len(disabled.Requests()) > 0 {
			t.Errorf("%s has connected the disabled tenant", time)
		}
		after := map[*testbed.Site]string{}
		for _, s := range v.sites {
			after[s] = rows(t, s, master)
			if before != nil && after[s] != before[s] {
				t.Errorf("%s has changed more than keys on %s:\n%s\n\nwere\n%s", time, s.Wwwroot, after[s], before[s])
			}
		}
		before = after
	}
}

func TestBindhostOfATenantConnectsBothSides(t *testing.T) {
	t.Parallel()
	master, a, sister, stranger := patched(t), patched(t), patched(t), patched(t)
	v := newVMoodle(t, master, a, sister, stranger)
	// Every node of an array has the same strategy.
	const strategy = `a:5:{s:19:"peer_sso_sp_publish";i:1;s:21:"peer_sso_sp_subscribe";i:0;s:20:"peer_sso_idp_publish";s:1:"0";` +
		`s:22:"peer_sso_idp_subscribe";s:1:"1";s:25:"peer_dataexchange_publish";i:1;}`
	const recorded = "dataexchange 10, sso_idp 01, sso_sp 10"
	for _, s := range v.sites {
		s.DB.Exec(t, "INSERT INTO {config_plugins} (plugin, name, value) VALUES ('local_vmoodle', 'services_strategy', ?)", strategy)
		s.Warm(t)
	}
	v.says(t, a, "mnet = 1")
	v.says(t, sister, "mnet = 1")
	v.says(t, stranger, "mnet = 2")
	bind := []string{"--host=" + a.Wwwroot, "--bindhost=" + sister.Wwwroot + "/", "--bindhost=" + stranger.Wwwroot, "--bindhost=" + master.Wwwroot}
	var planned, done []string
	for _, s := range []*testbed.Site{sister, stranger, master} {
		planned, done = append(planned, "would connect this site as a peer at "+s.Wwwroot), append(done, "connected this site as a peer at "+s.Wwwroot)
	}
	v.renew(t, append(bind, "--dry-run")...).expect(t, 0, planned...)
	v.renew(t, bind...).expect(t, 0, append(done, "3 of 3 peers proven")...)
	coherent(t, a)
	for _, other := range []struct {
		site      *testbed.Site
		ours, its string
	}{
		{sister, recorded, recorded},
		{stranger, singleSignOn, singleSignOn}, // not of this sub-network
		{master, subSide, masterSide},
	} {
		knows(t, a, other.site, other.ours)
		knows(t, other.site, a, other.its)
		linked(t, a, other.site)
	}
	if sister.Held(t, stranger.Wwwroot)+sister.Held(t, master.Wwwroot)+master.Held(t, sister.Wwwroot) != "" {
		t.Error("others were connected with each other")
	}
}

func TestATenantWhoseDatabaseIsDownKeepsNobodyFromBeingRenewed(t *testing.T) {
	t.Parallel()
	master, good, down := patched(t), patched(t), patched(t)
	v := newVMoodle(t, master, good, down)
	v.says(t, down, "vdbhost = '127.0.0.1:1'")
	for _, is := range []string{"unknown", "a peer of one side"} {
		r := v.renew(t, "--bindhost=subs", "--json")
		r.expect(t, 3)
		coherent(t, master)
		knows(t, master, good, masterSide)
		knows(t, good, master, subSide)
		linked(t, master, good)
		tenant := r.document(t).Tenants[0]
		if p := r.document(t).peer(t, good.Wwwroot); tenant.Outcome != rotate.Renewed || p.Outcome != rotate.Accepted {
			t.Errorf("the good one: %+v", tenant)
		}
		if !slices.ContainsFunc(tenant.Peers, func(p rotate.PeerReport) bool {
			return p.Wwwroot == down.Wwwroot && !p.Outcome.Proven() && strings.Contains(p.Detail, "127.0.0.1:1")
		}) {
			t.Errorf("the one whose database is down, %s as yet: %+v", is, tenant.Peers)
		}
	}
	v.renew(t, "--host="+down.Wwwroot).expect(t, 1, "error: ", "127.0.0.1:1", "hint: ")

	v.says(t, down, "vdbhost = '127.0.0.1'")
	v.renew(t, "--bindhost=subs").expect(t, 0, "2 of 2 peers proven")
	knows(t, master, down, masterSide)
	knows(t, down, master, subSide)
	linked(t, master, down)
}

func TestWhatIsNoTenantIsAMistakeOfUsage(t *testing.T) {
	t.Parallel()
	master := patched(t)
	v := newVMoodle(t, master)
	master.DB.Exec(t, `INSERT INTO {local_vmoodle} (vhostname, vdbname, vdatapath, enabled)
		VALUES ('http://127.0.0.1:1', 'x', '/nowhere', 0), ('https://tenant.example/moodle', 'x', '/nowhere', 1)`)
	before := contents(t, master)
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"an unknown tenant":          {[]string{"--host=https://unknown.example"}, []string{"https://unknown.example", "hint: "}},
		"a tenant that is misspelt":  {[]string{"--host=https://tenent.example/moodle"}, []string{"hint: did you mean --host=https://tenant.example/moodle?"}},
		"a disabled tenant":          {[]string{"--host=http://127.0.0.1:1"}, []string{"disabled", "hint: enable it"}},
		"a disabled host to bind":    {[]string{"--bindhost=http://127.0.0.1:1"}, []string{"disabled", "hint: enable it"}},
		"the master bound to itself": {[]string{"--bindhost=" + master.Wwwroot}, []string{"names the tenant itself"}},
	} {
		t.Run(name, func(t *testing.T) {
			v.renew(t, c.args...).expect(t, 2, append(c.says, "error: ")...)
		})
	}
	t.Run("subs without a register", func(t *testing.T) {
		renewIt(t, master, "--bindhost=subs").expect(t, 2, "error: --bindhost=subs", "hint: name the host by its URL")
	})
	if contents(t, master) != before {
		t.Error("something was changed")
	}
}
