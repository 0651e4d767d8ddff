package test

import (
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

// An administrator learns from doctor which Moodle and PHP the site has, and which links an upgrade
// to Moodle 5 ends.
func TestDoctorTellsWhoUsesALink(t *testing.T) {
	t.Parallel()
	own, peer, quiet := patched(t), patched(t), patched(t)
	own.Peer(t, peer)
	own.Peer(t, quiet)
	own.DB.Exec(t, "INSERT INTO {config} (name, value) VALUES ('release', '4.5.6 (Build: 20250811)'), ('version', '2024100706.00'), ('auth', 'manual,mnet')")
	own.DB.Exec(t, "REPLACE INTO {config_plugins} (plugin, name, value) VALUES ('auth_mnet', 'version', '2024100700')")
	own.DB.Exec(t, "INSERT INTO {user} (username, mnethostid, deleted, lastaccess) SELECT 'ann', id, 0, 1700000000 FROM {mnet_host} WHERE wwwroot = ?", peer.Wwwroot)
	own.DB.Exec(t, "INSERT INTO {user} (username, mnethostid, deleted, lastaccess) SELECT 'gone', id, 1, 1700009999 FROM {mnet_host} WHERE wwwroot = ?", peer.Wwwroot)
	own.DB.Exec(t, "INSERT INTO {mnet_session} (token, mnethostid, expires) SELECT 'a', id, UNIX_TIMESTAMP() + 3600 FROM {mnet_host} WHERE wwwroot = ?", peer.Wwwroot)
	var tenant rotate.TenantReport
	unchanged(t, func() {
		r := operate(t, own.ConfigFile, "doctor", []string{"--json"}, own, peer)
		r.expect(t, 0)
		tenant = r.document(t).Tenants[0]
	}, own, peer)
	if s := tenant.Site; s == nil || s.Moodle != "4.5.6 (Build: 20250811)" || s.PHPWeb == "" || s.PHPCommand != "" || s.SingleSignOn != rotate.SignOnOn || s.RC4 != "yes" {
		t.Errorf("the site: %+v", s)
	}
	for _, p := range tenant.Peers {
		used := p.Wwwroot == peer.Wwwroot
		if p.Use.InUse() != used || used && (*p.Use.Users != 1 || *p.Use.Sessions != 1 || !p.Use.LastUsed.Equal(time.Unix(1700000000, 0))) {
			t.Errorf("%s: %+v", p.Wwwroot, p.Use)
		}
	}
	short := operate(t, own.ConfigFile, "doctor", nil, own)
	short.expect(t, 0, "Moodle 4.5.6 (Build: 20250811); PHP "+tenant.Site.PHPWeb+"; single sign-on (auth_mnet) on; RC4 (OpenSSL's legacy provider) works\n",
		"links in use: 1 of the 2 in the databases (1 user, 1 open session); --verbose lists them\n")
	whole := operate(t, own.ConfigFile, "doctor", []string{"--verbose"}, own)
	whole.expect(t, 0, "\nusers of the links of "+own.Wwwroot+"\n  "+peer.Wwwroot+"        1 user      1 session  last used 2023-11-14  last call ", "[peers_single_sign_on]\n        1 peer: "+peer.Wwwroot+"\n")
	if strings.Contains(short.stdout, "\nnote ") || !strings.Contains(whole.stdout, "\nnote ") {
		t.Errorf("notes are shown without --verbose, or not with it:\n%s\n%s", short.stdout, whole.stdout)
	}
}

// A row of the register that cannot be used is a finding about its tenant, wherever it is asked for.
func TestDoctorFindsARowOfTheRegisterThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	of := f.tenants[1]
	f.tenants[0].DB.Exec(t, "UPDATE {local_vmoodle} SET vdbtype = 'oci' WHERE vhostname = ?", of.Wwwroot)
	for _, args := range [][]string{{"--host=" + of.Wwwroot}, {"--all"}} {
		r := f.command(t, "doctor", append(args, "--json")...)
		findings := r.document(t).Tenants[0].Findings
		if len(findings) != 1 || findings[0].Code != "own_unreadable" || !strings.Contains(findings[0].Detail, "local_vmoodle of database "+f.tenants[0].DB.Name+`): vdbtype "oci"`) || !strings.Contains(findings[0].Next, "vdbtype of that row") {
			t.Errorf("%v: exit %d, %+v", args, r.code, findings)
		}
	}
	f.command(t, "doctor", "--host="+of.Wwwroot).expect(t, 2, "[own_unreadable]", "vdbtype of that row")
}

// Which row is the local one is a number in table config, which may come from another database.
func TestAWrongLocalhostIDAndAnotherRowOfTheSiteAreNamed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	of := f.tenants[1]
	id := of.DB.Value(t, "SELECT value FROM {config} WHERE name = 'mnet_localhost_id'")
	of.DB.Exec(t, "UPDATE {config} SET value = (SELECT id FROM {mnet_host} WHERE wwwroot = ?) WHERE name = 'mnet_localhost_id'", f.tenants[2].Wwwroot)
	cure := "row " + id + " of mnet_host has this wwwroot: mnet_localhost_id (table config) names the wrong row"
	f.command(t, "verify", "--host="+of.Wwwroot).expect(t, 2, "belongs to", cure)
	f.command(t, "doctor", "--host="+of.Wwwroot).expect(t, 1, "[own_row_other_site]", cure)
	f.command(t, "verify", "--all", "--withmaster").expect(t, 3, "belongs to", cure)
	of.DB.Exec(t, "UPDATE {config} SET value = ? WHERE name = 'mnet_localhost_id'", id)
	of.DB.Exec(t, "INSERT INTO {mnet_host} (wwwroot, public_key) VALUES (?, '')", of.Wwwroot)
	f.command(t, "doctor", "--host="+of.Wwwroot).expect(t, 3, "[peer_is_own_site]", "SET wwwroot = '"+of.Wwwroot+"#unused', deleted = 1 WHERE id = ")
}

func TestTheDatabaseOfAnotherSiteIsNoSuccess(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	of := f.tenants[1]
	of.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = 'https://original.example' WHERE wwwroot = ?", of.Wwwroot)
	for command, codes := range map[string][2]int{"status": {2, 3}, "doctor": {1, 3}} {
		f.command(t, command, "--host="+of.Wwwroot).expect(t, codes[0], "belongs to", "https://original.example")
		f.command(t, command, "--all", "--withmaster").expect(t, codes[1], "belongs to", "https://original.example")
	}
}
