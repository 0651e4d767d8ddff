package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// packaged are the command lines of the packaged files, without the program.
func packaged(t testing.TB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range []string{"cron.d/renew_mnetkeys", "systemd/renew_mnetkeys.service", "icinga2/renew_mnetkeys.conf", "nrpe/renew_mnetkeys.cfg", "sudoers.d/renew_mnetkeys"} {
		text, err := os.ReadFile(filepath.Join("../packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		// Of two lines in a file the other is for a single Moodle: ../packaging tests that.
		found := regexp.MustCompile(`(?m)^[^#/\n].*/usr/bin/renew_mnetkeys(.*--all.*)$`).FindAllSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("%s has %d command lines", name, len(found))
		}
		all[name] = strings.Fields(strings.NewReplacer(`"`, "", ",", "", "]", "", `\`, "").Replace(string(found[0][1])))
	}
	return all
}

// The lines are run unchanged; the operator's file of options says where config.php is.
func TestThePackagedCommandsWatchAndRenewTheWholeArray(t *testing.T) {
	t.Parallel()
	own, tenant, outside := threeSites(t)
	tenant.Peer(t, outside)
	v := newVMoodle(t, own, tenant)
	v.renew(t, "--all", "--withmaster").expect(t, 0)
	options := filepath.Join(t.TempDir(), "renew_mnetkeys.conf")
	if err := os.WriteFile(options, []byte("config = "+v.config+"\nretries = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(words []string) ran {
		cmd := command(t, words...)
		cmd.Env = append(cmd.Env, "MNETKEYS_OPTIONS="+options)
		return run1(t, cmd)
	}
	checks := 0
	each := func(name string, check, job func(t *testing.T, r ran)) {
		for file, words := range packaged(t) {
			t.Run(name+": "+file, func(t *testing.T) {
				if r := run(words); slices.Contains(words, "check") {
					checks++
					check(t, r)
				} else {
					job(t, r)
				}
			})
		}
	}
	each("all is well", func(t *testing.T, r ran) {
		if got := checked(t, r); got.state != "OK" || !strings.HasPrefix(got.text, "2 tenants: the first key expires in 27 days") {
			t.Errorf("%+v", got)
		}
	}, func(t *testing.T, r ran) {
		if r.code != 0 || r.stdout+r.stderr != "" {
			t.Errorf("exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	if checks != 3 {
		t.Errorf("%d files watch", checks)
	}
	outside.Stop()
	each("a peer of both is dead", func(t *testing.T, r ran) {
		want := "2 links pending (connect) from "
		if got := checked(t, r); got.state != "WARNING" || !strings.HasPrefix(got.text, want) || !strings.HasSuffix(got.text, " to "+outside.Wwwroot) {
			t.Errorf("%+v", got)
		}
	}, func(t *testing.T, r ran) { r.expect(t, 3, "pending 2 links: connect") })
}
