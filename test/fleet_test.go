package test

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// fleet is an array whose sites are small enough for hundreds of them: each has a database and an
// account of its own, but its web server is a fake in this process that reads them, through a file
// cache, as Moodle does. All sites know each other, the outsiders too.
type fleet struct {
	*vmoodle
	tenants   []*fleetTenant // the master first; by wwwroot, if there are fewer than 90
	outsiders []*peertest.Site
}

type fleetTenant struct {
	*testbed.Site // without its web server
	web           *peertest.Site
	side          *webSide
}

// fleetOptions say what a fleet consists of.
type fleetOptions struct {
	tenants   int // the master among them
	outsiders int // stock Moodles that are not tenants
	kind      peertest.Kind
	nodes     []string        // web servers of each tenant besides the first, as peertest.Options has them
	host      string          // of the wwwroot, instead of the address: a name that leads nowhere
	separate  bool            // the first two have their tables in one database, and every other connects by the socket
	outsider  peertest.Kind   // of the outsiders, instead of Stock
	key       *rsa.PrivateKey // of all first pairs; nil: each has its own
	// postgresql are the indexes of the tenants whose database is there. VMoodle cannot start on it:
	// if the master is there, it has no register.
	postgresql []int
}

// firstDays is the age of every first pair: not so new that a run would keep it as fresh, and not
// so old that Moodle would renew it by itself.
const firstDays = 10

func newFleet(t testing.TB, o fleetOptions) *fleet {
	t.Helper()
	f := newSites(t, o)
	if master := f.tenants[0].Site; master.DB.DBType == testbed.PostgreSQLType {
		f.vmoodle = &vmoodle{config: master.ConfigFile, master: master, sites: []*testbed.Site{master}}
		return f
	}
	var sites []*testbed.Site
	for _, tenant := range f.tenants {
		sites = append(sites, tenant.Site)
	}
	f.vmoodle = newVMoodle(t, sites[0], sites[1:]...)
	return f
}

// newSites is a fleet without a register.
func newSites(t testing.TB, o fleetOptions) *fleet {
	t.Helper()
	f := &fleet{}
	var pairs []*envelope.KeyPair
	for i := range o.tenants {
		tenant, pair := newFleetTenant(t, i, o, f.database(t, o))
		f.tenants, pairs = append(f.tenants, tenant), append(pairs, pair)
	}
	for i := range o.outsiders {
		outsider, err := peertest.Start(peertest.Options{Kind: cmp.Or(o.outsider, peertest.Stock), Address: fmt.Sprintf("127.8.0.%d:0", 10+i), Key: o.key})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(outsider.Close)
		f.outsiders = append(f.outsiders, outsider)
	}
	f.introduce(t, pairs)
	f.tenants[0].DB.DB.SetMaxIdleConns(4) // all web servers use it
	for i, tenant := range f.tenants {
		tenant.side.open(f.tenants[0].DB, tenant.Site, i)
		if tenant.web.Certificate() != pairs[i].Certificate.PEM { // and its cache is warm
			t.Fatalf("the web side of %s does not use its key", tenant.Wwwroot)
		}
	}
	return f
}

// database has the tables of the next tenant.
func (f *fleet) database(t testing.TB, o fleetOptions) *testbed.Database {
	t.Helper()
	switch i := len(f.tenants); {
	case slices.Contains(o.postgresql, i):
		return testbed.PostgreSQL(t).Database(t, "mdl_")
	case o.separate && i == 1:
		return f.tenants[0].DB.Beside(t, "other_")
	}
	return testbed.MariaDB(t).Database(t, "mdl_")
}

// newFleetTenant makes a tenant that no site knows yet, not even itself.
func newFleetTenant(t testing.TB, i int, o fleetOptions, db *testbed.Database) (*fleetTenant, *envelope.KeyPair) {
	t.Helper()
	dir := t.TempDir() // first, so that it is removed after the web server has ended, which writes there
	side := &webSide{pairs: map[string]*envelope.KeyPair{}}
	options := peertest.Options{Kind: o.kind, Store: side, Address: fmt.Sprintf("127.7.%d.%d:0", i/200, 10+i%200), Nodes: o.nodes}
	if o.host != "" {
		options.Address = freeAddress(t)
		_, port, _ := net.SplitHostPort(options.Address)
		options.Wwwroot = "http://" + net.JoinHostPort(o.host, port)
	}
	web, err := peertest.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.Close)
	key := o.key
	if key == nil {
		key = testkey.Key(1024)
	}
	pair, err := rotate.Certify(key, rotate.Subject{Wwwroot: web.Wwwroot(), Site: "A fleet"}, time.Now().AddDate(0, 0, -firstDays), 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	db.DB.SetMaxIdleConns(-1) // hundreds of idle ones would be more than the server accepts
	site := &testbed.Site{Wwwroot: web.Wwwroot(), DB: db, Dirroot: dir, Dataroot: filepath.Join(dir, "moodledata"), ConfigFile: filepath.Join(dir, "config.php")}
	db.Exec(t, `INSERT INTO {config} (name, value) VALUES ('siteidentifier', ?), ('mnet_dispatcher_mode', 'strict'), ('mnet_all_hosts_id', '1'), ('mnet_localhost_id', ?)`,
		"identifier of "+site.Wwwroot, fmt.Sprint(ownRow(i)))
	db.Exec(t, `INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', 'openssl', ?), ('mnet', 'openssl_history', 'a:0:{}'), ('auth_mnet', 'rpc_negotiation_timeout', '30')`,
		pair.Certificate.PEM+"@@@@@@@@"+pair.PEM)
	db.Exec(t, `INSERT INTO {course} (id, fullname, shortname, format) VALUES (1, 'A fleet', 'fleet', 'site');
		INSERT INTO {mnet_application} (id, name, display_name, xmlrpc_server_url) VALUES (1, 'moodle', 'Moodle', '/mnet/xmlrpc/server.php');
		INSERT INTO {mnet_service} (id, name, offer) VALUES (1, 'sso_idp', 1), (2, 'sso_sp', 1)`)
	dboptions, host := fmt.Sprintf("'dbport' => %d", db.Port), db.Host
	if i%2 == 0 && o.separate {
		dboptions, host = dboptions+", 'dbsocket' => '"+db.Socket+"'", "localhost"
	}
	placeFile(t, site.ConfigFile, fmt.Sprintf(fleetConfig, db.DBType, host, db.Name, db.User, db.Password, db.Prefix, dboptions, site.Wwwroot, site.Dataroot))
	return &fleetTenant{site, web, side}, pair
}

// freeAddress is an address on which no process listened a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// ownRow is the id of a tenant's row of itself. All tenants have the same rows of hosts under the
// same ids, the all-hosts row first; only the local host row differs.
func ownRow(i int) int { return 2 + i }

// introduce fills the rows of hosts of all sites.
func (f *fleet) introduce(t testing.TB, pairs []*envelope.KeyPair) {
	t.Helper()
	const row = "(?, '127.0.0.1', ?, ?, ?, 1, 2)"
	insert, values := []string{row}, []any{"", "All Hosts", "", 0}
	add := func(wwwroot string, c *envelope.Certificate) {
		insert, values = append(insert, row), append(values, wwwroot, "Site "+wwwroot, c.PEM, c.NotAfter.Unix())
	}
	for i, tenant := range f.tenants {
		add(tenant.Wwwroot, pairs[i].Certificate)
		for _, outsider := range f.outsiders {
			if err := outsider.Know(tenant.Wwwroot, pairs[i].Certificate.PEM); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, outsider := range f.outsiders {
		pair, _, err := outsider.Pairs()
		if err != nil {
			t.Fatal(err)
		}
		add(outsider.Wwwroot(), pair.Certificate)
	}
	first := f.tenants[0].DB
	for _, tenant := range f.tenants {
		if tenant.DB == first || tenant.DB.DBType != first.DBType || first.DBType == testbed.PostgreSQLType {
			tenant.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification) VALUES `+
				strings.Join(insert, ", "), values...)
		} else { // a copy is faster
			tenant.DB.Exec(t, "INSERT INTO {mnet_host} SELECT * FROM "+first.Name+"."+first.Prefix+"mnet_host")
		}
		tenant.DB.Exec(t, `INSERT INTO {mnet_host2service} (hostid, serviceid, publish, subscribe)
			SELECT h.id, s.id, 1, 1 FROM {mnet_host} h, {mnet_service} s WHERE h.wwwroot <> '' AND h.wwwroot <> ?`, tenant.Wwwroot)
	}
}

const fleetConfig = `<?php
$CFG = new stdClass();
$CFG->dbtype    = '%s';
$CFG->dbhost    = '%s';
$CFG->dbname    = '%s';
$CFG->dbuser    = '%s';
$CFG->dbpass    = '%s';
$CFG->prefix    = '%s';
$CFG->dboptions = array(%s);
$CFG->wwwroot   = '%s';
$CFG->dataroot  = '%s';

require_once(__DIR__ . '/lib/setup.php');
`

// wrongLinks are the links, "holder > of", in which the holder's row, or its expiry, does not match
// the certificate that the other's web server uses.
func (f *fleet) wrongLinks(t testing.TB) (wrong []string) {
	t.Helper()
	used := map[string]string{}
	for _, site := range f.sitesOnTheWeb() {
		current, _, err := site.Pairs()
		if err != nil {
			t.Fatal(err)
		}
		used[site.Wwwroot()] = fmt.Sprint(current.Certificate.PEM, current.Certificate.NotAfter.Unix())
	}
	for _, outsider := range f.outsiders {
		for _, tenant := range f.tenants {
			if outsider.Held(tenant.Wwwroot) != tenant.web.Certificate() {
				wrong = append(wrong, outsider.Wwwroot()+" > "+tenant.Wwwroot)
			}
		}
	}
	for _, tenant := range f.tenants {
		for wwwroot, held := range tenant.hosts(t) {
			if used[wwwroot] != held {
				wrong = append(wrong, tenant.Wwwroot+" > "+wwwroot)
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// hosts are a tenant's active rows, the local host row too: certificate and expiry by wwwroot.
func (s *fleetTenant) hosts(t testing.TB) map[string]string {
	t.Helper()
	rows, err := s.DB.DB.QueryContext(t.Context(), s.DB.SQL("SELECT wwwroot, CONCAT(public_key, public_key_expires) FROM {mnet_host} WHERE deleted = 0 AND wwwroot <> ''"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	held := map[string]string{}
	for rows.Next() {
		var wwwroot, certificate string
		if err := rows.Scan(&wwwroot, &certificate); err != nil {
			t.Fatal(err)
		}
		held[wwwroot] = certificate
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return held
}

func (f *fleet) sitesOnTheWeb() []*peertest.Site {
	all := slices.Clone(f.outsiders)
	for _, tenant := range f.tenants {
		all = append(all, tenant.web)
	}
	return all
}

// call lets two sites call each other sealed, as they do when a user signs on.
func call(t testing.TB, a, b *peertest.Site) {
	t.Helper()
	for _, way := range [][2]*peertest.Site{{a, b}, {b, a}} {
		if err := way[0].Call(t.Context(), way[1].Wwwroot()); err != nil {
			t.Errorf("%s: %v", way[0].Wwwroot(), err)
		}
	}
}
