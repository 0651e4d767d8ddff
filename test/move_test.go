package test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/internal/testkey"
	"renew_mnetkeys/rotate"
)

// formerly makes a site one that had another wwwroot until its config.php was changed: its own row,
// its key, and the rows of the other sites have the old one.
func formerly(t testing.TB, s *testbed.Site, others ...*testbed.Site) (old string) {
	t.Helper()
	old = "http://" + freeAddress(t) + "/old"
	key := testkey.Key(2048)
	pair, err := rotate.Certify(key, rotate.Subject{Wwwroot: old, Site: "Old"}, time.Now().AddDate(0, 0, -firstDays), 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = 'openssl'", pair.Certificate.PEM+"@@@@@@@@"+pair.PEM)
	for _, of := range append(others, s) {
		of.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ?, public_key = ?, public_key_expires = ? WHERE wwwroot = ?",
			old, pair.Certificate.PEM, pair.Certificate.NotAfter.Unix(), s.Wwwroot)
	}
	return old
}

// named is the wwwroot of a row by its id.
func named(t testing.TB, s *testbed.Site, id string) string {
	t.Helper()
	return s.DB.Value(t, "SELECT wwwroot FROM {mnet_host} WHERE id = ?", id)
}

func rowOf(t testing.TB, s *testbed.Site, wwwroot string) string {
	t.Helper()
	return s.DB.Value(t, "SELECT id FROM {mnet_host} WHERE wwwroot = ?", wwwroot)
}

// A site with two peers outside, which know it by its old wwwroot until their administrators change
// it.
func TestASiteThatHasMoved(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, hasMovedAlone)
}

func hasMovedAlone(t *testing.T, server *testbed.Server) {
	own, forced, stock := testbed.PHPSite(t, testbed.Options{Server: server}), patched(t), testbed.PHPSite(t, testbed.Options{Server: server})
	own.Peer(t, forced)
	own.Peer(t, stock)
	old := formerly(t, own, forced, stock)
	own.Purge(t)
	own.Warm(t)
	ownRow, pair := rowOf(t, own, old), pairOf(t, own)
	move := func(args ...string) ran { return operate(t, own.ConfigFile, "move", args, own, forced, stock) }

	t.Run("any other command names the command", func(t *testing.T) {
		unchanged(t, func() {
			for _, word := range []string{"--if-due", "push", "verify"} {
				run1(t, command(t, word, "--config="+own.ConfigFile)).expect(t, 2, "belongs to "+old, "move --from="+old+" --config="+own.ConfigFile)
			}
			r := run1(t, command(t, "doctor", "--config="+own.ConfigFile))
			r.expect(t, 1, "move --from="+old+" --config="+own.ConfigFile)
			// It runs as it is printed, and asks for confirmation.
			r = run1(t, command(t, "status", "--config="+own.ConfigFile))
			_, advised, _ := strings.Cut(strings.TrimSpace(r.stderr), "run: ")
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", advised)
			cmd.Env = append(os.Environ(), "PATH="+shellWith(t)+":"+os.Getenv("PATH"), "GORACE="+noSleep)
			run1(t, cmd).expect(t, 1, "move needs confirmation")
		}, own, forced, stock)
	})
	t.Run("nothing is changed without confirmation, with a wrong --from, or by a dry run", func(t *testing.T) {
		unchanged(t, func() {
			if r := move("--from=" + old); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "error: move needs confirmation\nhint: run it on a terminal, or add --yes") {
				t.Errorf("%+v", r)
			}
			move("--from=http://wrong.invalid", "--yes").expect(t, 2, "belongs to "+old)
			move("--from=http://wrong.invalid", "--dry-run").expect(t, 2, "belongs to "+old)
			move("--from="+own.Wwwroot, "--yes").expect(t, 2, "is the wwwroot of a site of config.php")
			move("--from="+old, "--dry-run").expect(t, 3, "would move "+own.Wwwroot, "must replace "+old+" by "+own.Wwwroot, "2 of 2 peers can be reached")
		}, own, forced, stock)
	})
	t.Run("it gets the new name, and the peers outside do not know it", func(t *testing.T) {
		d := move("--from="+old, "--yes", "--json").document(t)
		if r := d.Tenants[0]; d.Command != "move" || d.ExitCode != 3 || r.Outcome != rotate.Renewed || r.SelfCheck != rotate.SelfProven || r.Wwwroot != own.Wwwroot {
			t.Fatalf("%+v", d)
		}
		for _, peer := range []*testbed.Site{forced, stock} {
			if p := d.peer(t, peer.Wwwroot); p.Outcome != rotate.Refused || p.Reason != rotate.ReasonUnknownToPeer || !strings.Contains(p.Next, "administrator") {
				t.Errorf("%+v", p)
			}
		}
		if m := d.Tenants[0].Moved; m == nil || m.From != old || !strings.Contains(m.Message, own.Certificate(t)) {
			t.Errorf("moved: %+v", m)
		}
		coherent(t, own)
		if named(t, own, ownRow) != own.Wwwroot || historyOf(t, own)[0] != pair {
			t.Error("the row has another wwwroot, or the old key is lost")
		}
	})
	t.Run("again, it is a push; one administrator has pasted the certificate, the other changed the row by SQL", func(t *testing.T) {
		stored := pairOf(t, own)
		r := move("--from="+old, "--yes")
		r.expect(t, 3, "kept "+own.Wwwroot, "message for the administrators", "Subject: "+own.Wwwroot+" has a new address", "-----END CERTIFICATE-----\n")
		forced.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ?, public_key = ? WHERE wwwroot = ?", own.Wwwroot, own.Certificate(t), old)
		r = move("--from="+old, "--yes")
		r.expect(t, 3, "1 of 2 peers proven, 1 refused")
		stock.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE wwwroot = ?", own.Wwwroot, old)
		r = move("--from="+old, "--yes")
		r.expect(t, 0, "2 of 2 peers proven")
		if strings.Contains(r.stdout, "message for") || pairOf(t, own) != stored {
			t.Errorf("the key was changed, or: %s", r.stdout)
		}
		linked(t, own, forced)
		linked(t, own, stock)
	})
	t.Run("a wrong --from", func(t *testing.T) {
		unchanged(t, func() {
			move("--from=http://wrong.invalid", "--yes").expect(t, 2, "has the wwwroot "+own.Wwwroot+" already", "http://wrong.invalid")
		}, own, forced, stock)
	})
}

func TestAMoveIsUndoneWithItsWwwroot(t *testing.T) {
	t.Parallel()
	testbed.EachDatabase(t, func(t *testing.T, server *testbed.Server) {
		own, peer := testbed.PHPSite(t, testbed.Options{Server: server}), patched(t)
		own.Peer(t, peer)
		old := formerly(t, own, peer)
		own.Purge(t)
		own.Warm(t)
		pair, row := pairOf(t, own), rowOf(t, own, old)
		nowhere := []string{"--php=/bin/false", "--cfg=altcacheconfigpath=" + t.TempDir(), "--cfg=cachedir=" + t.TempDir()}
		r := operate(t, own.ConfigFile, "move", append(nowhere, "--from="+old, "--yes"), own, peer)
		r.expect(t, 1, "the old key was restored", "undone "+own.Wwwroot)
		if pairOf(t, own) != pair || named(t, own, row) != old || !holds(pair, own.Certificate(t)) {
			t.Errorf("the row has the wwwroot %s", named(t, own, row))
		}
		if peer.Held(t, own.Wwwroot) != "" || !holds(pair, peer.Held(t, old)) {
			t.Error("the peer was told")
		}
		operate(t, own.ConfigFile, "move", []string{"--from=" + old, "--yes"}, own, peer).expect(t, 3, "moved "+own.Wwwroot)
		coherent(t, own)
	})
}

// movedMesh is an array of six, whose tenant with the index at has moved, and an outsider that
// knows the new wwwroot already, with the old certificate.
func movedMesh(t *testing.T, f *fleet, at int) (moved *fleetTenant, old string) {
	t.Helper()
	moved = f.tenants[at]
	var sites []*testbed.Site
	for _, tenant := range f.tenants {
		if tenant != moved {
			sites = append(sites, tenant.Site)
		}
	}
	old = formerly(t, moved.Site, sites...)
	moved.side.moved.Store(true)
	if err := os.Remove(*moved.side.entry.Load()); err != nil {
		t.Fatal(err)
	}
	for _, outsider := range f.outsiders {
		if err := outsider.Know(moved.Wwwroot, moved.web.Certificate()); err != nil {
			t.Fatal(err)
		}
	}
	return moved, old
}

// hasMoved checks that every site of the array has the new wwwroot in the row that had the old one.
func (f *fleet) hasMoved(t testing.TB, moved *fleetTenant, at int) {
	t.Helper()
	for _, tenant := range f.tenants {
		if got := named(t, tenant.Site, fmt.Sprint(ownRow(at))); got != moved.Wwwroot {
			t.Errorf("%s has the row of %s", tenant.Wwwroot, got)
		}
		if n := tenant.DB.Value(t, "SELECT COUNT(*) FROM {mnet_host}"); n != fmt.Sprint(1+len(f.tenants)+len(f.outsiders)) {
			t.Errorf("%s has %s rows", tenant.Wwwroot, n)
		}
		coherent(t, tenant.Site)
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}

func TestATenantOfAnArrayThatHasMoved(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"the master": 0, "a tenant on PostgreSQL": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, fleetOptions{tenants: 6, outsiders: 1, postgresql: []int{3, 5}})
			moved, old := movedMesh(t, f, at)
			host, all := "--host="+moved.Wwwroot, make([]*testbed.Site, len(f.tenants))
			for i, tenant := range f.tenants {
				all[i] = tenant.Site
			}
			unchanged(t, func() {
				f.command(t, "move", host, "--from="+old, "--all", "--yes").expect(t, 2, "move has no option --all", "one site at a time")
				f.command(t, "move", host, "--from="+f.tenants[5].Wwwroot, "--yes").expect(t, 2, "is the wwwroot of a site of config.php or of VMoodle's register")
				f.command(t, "move", host, "--from="+old, "--dry-run").expect(t, 3, "would move "+moved.Wwwroot, "by its database", "6 of 6 peers can be reached")
				f.command(t, "--all", "--withmaster", "--dry-run").expect(t, 3, "move --from="+old+" --config="+f.config+" --host="+moved.Wwwroot)
			}, all...)
			page, metrics := filepath.Join(t.TempDir(), "page.html"), filepath.Join(t.TempDir(), "mnet.prom")
			f.command(t, "move", host, "--from="+old, "--yes", "--report="+page, "--prometheus-file="+metrics).expect(t, 0, "moved "+moved.Wwwroot, "6 of 6 peers proven")
			f.hasMoved(t, moved, at)
			for _, file := range []string{page, metrics} {
				if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), moved.Wwwroot) {
					t.Errorf("%s: %v", filepath.Base(file), err)
				}
			}
			f.command(t, "move", host, "--from="+old, "--yes").expect(t, 0, "kept "+moved.Wwwroot, "6 of 6 peers proven")
			f.command(t, "verify", "--all", "--withmaster").expect(t, 0)
			for _, tenant := range f.tenants {
				if tenant != moved {
					call(t, moved.web, tenant.web)
				}
			}
		})
	}
}

// The array is the sites of several config.php.
func TestASiteOfSeveralConfigsThatHasMoved(t *testing.T) {
	t.Parallel()
	s := newSeparate(t)
	const at = 4
	moved, old := movedMesh(t, s.fleet, at)
	s.command(t, "move", "--from="+old, "--yes").expect(t, 2, "--config names several sites", "select one of them with --host")
	s.command(t, "move", "--host="+old, "--from="+old, "--yes").expect(t, 2, "no site of --config has the wwwroot "+old)
	s.command(t, "move", "--host="+moved.Wwwroot, "--from="+s.own[0].Wwwroot, "--yes").expect(t, 2, "is the wwwroot of a site")
	s.command(t, "move", "--host="+moved.Wwwroot, "--from="+old, "--yes").expect(t, 0, "moved "+moved.Wwwroot, "8 of 8 peers proven")
	s.hasMoved(t, moved, at)
}

func TestMembersWhoseRowsOfASiteThatHasMovedAreLeft(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, postgresql: []int{2}})
	moved, old := movedMesh(t, f, 1)
	member, foreign := f.tenants[2], f.tenants[3]
	member.DB.Exec(t, "INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, applicationid) VALUES (?, 'again', '', 0, 1)", moved.Wwwroot)
	foreign.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", foreign.Certificate(t), old) // any but that of the site
	held, before := member.Held(t, old), contents(t, foreign.Site)
	r := f.command(t, "move", "--host="+moved.Wwwroot, "--from="+old, "--yes")
	r.expect(t, 3, "1 of 3 peers proven, 2 refused", "two_rows", "user.mnethostid", "run: renew_mnetkeys move --config="+f.config+" --host="+moved.Wwwroot,
		foreign.Wwwroot, "may be another site's", "UPDATE mdl_mnet_host SET wwwroot = '"+moved.Wwwroot+"' WHERE wwwroot = '"+old+"'")
	if member.Held(t, old) != held || !holds(pairOf(t, moved.Site), member.Held(t, moved.Wwwroot)) {
		t.Error("the row with the old wwwroot was changed, or the other did not get the certificate")
	}
	if contents(t, foreign.Site) != before {
		t.Error("the row of another site was changed")
	}
	// Its users refer to the old row.
	member.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '#unused') WHERE wwwroot = ?", moved.Wwwroot)
	foreign.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE wwwroot = ?", moved.Wwwroot, old)
	f.command(t, "move", "--host="+moved.Wwwroot, "--from="+old, "--yes").expect(t, 0, "3 of 3 peers proven")
	for _, tenant := range []*fleetTenant{member, foreign} {
		if got := named(t, tenant.Site, fmt.Sprint(ownRow(1))); got != moved.Wwwroot || !holds(pairOf(t, moved.Site), tenant.Held(t, got)) {
			t.Errorf("%s: the old row has the wwwroot %s", tenant.Wwwroot, got)
		}
	}
	// A Moodle that had looked for the site under its new wwwroot before has made a row of it.
	member.DB.Exec(t, "INSERT INTO {mnet_host} (wwwroot, name, public_key, public_key_expires, applicationid) VALUES (?, 'late', '', 0, 1)", moved.Wwwroot)
	for range 2 {
		f.command(t, "move", "--host="+moved.Wwwroot, "--from="+old, "--yes").expect(t, 3, "2 of 3 peers proven, 1 refused", "two_rows", "user.mnethostid")
	}
	if n := member.DB.Value(t, "SELECT COUNT(*) FROM {mnet_host} WHERE deleted = 0 AND wwwroot = ? AND public_key = ?", moved.Wwwroot, moved.Certificate(t)); n != "2" {
		t.Errorf("%s rows have the certificate", n)
	}
	member.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = CONCAT(wwwroot, '#unused') WHERE name = 'late'")
	f.command(t, "move", "--host="+moved.Wwwroot, "--from="+old, "--yes").expect(t, 0, "3 of 3 peers proven")
}

// Neither a push nor a renewal renames the rows of the other sites, so neither is the next step
// after a move that a signal has ended.
func TestAnInterruptedMoveIsFinishedByTheCommandOfItsHint(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	old := formerly(t, own)
	own.Purge(t)
	once := filepath.Join(t.TempDir(), "once")
	hook := "--cache-hook=rm -rf '" + own.Dataroot + "'/cache/*; mkdir '" + once + "' && kill -TERM $PPID; true"
	r := run1(t, command(t, "move", "--config="+own.ConfigFile, "--from="+old, "--yes", hook))
	r.expect(t, 143, "hint: push and --if-due do not finish it: ", "To finish, run: ", "renew_mnetkeys move --config="+own.ConfigFile+" --from="+old+" --yes ")
	if strings.Contains(r.stdout+r.stderr, "renew_mnetkeys push") {
		t.Errorf("it names a push: %s", r.stderr)
	}
	stored := pairOf(t, own)
	run1(t, command(t, "move", "--config="+own.ConfigFile, "--from="+old, "--yes", hook)).expect(t, 0)
	if pairOf(t, own) != stored {
		t.Error("the second run made another key")
	}
}
