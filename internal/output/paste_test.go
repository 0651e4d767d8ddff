package output

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

const tenant1 = "https://t1.example.org"

// inArray is the printer of a run as root on an array of VMoodle.
func inArray(args ...string) *Printer {
	return &Printer{Arguments: args, Options: cmdline.Options{}, Site: Site{
		Config: "/srv/my moodle/config.php", User: "www-data",
		Tenant: func(wwwroot string) bool { return wwwroot == tenant1 },
		Purge:  "/srv/my moodle/admin/cli/purge_caches.php", PurgeTenant: "/srv/my moodle/local/vmoodle/cli/purge_caches.php",
	}}
}

func TestCommandsInHintsAreComplete(t *testing.T) {
	const site = " --config='/srv/my moodle/config.php'"
	for _, c := range []struct{ name, hint, wwwroot, want string }{
		{"a sentence is left as it is", "check whether the site is down", tenant1, "check whether the site is down"},
		{"user, configuration and tenant", "run: renew_mnetkeys push", tenant1, "run: sudo -u www-data renew_mnetkeys push" + site + " --host=https://t1.example.org"},
		{"an option stays in front", "run: renew_mnetkeys --newkey", tenant1, "run: sudo -u www-data renew_mnetkeys --newkey" + site + " --host=https://t1.example.org"},
		{"the array is no tenant", "run: renew_mnetkeys push --all --withmaster", tenant1, "run: sudo -u www-data renew_mnetkeys push --all --withmaster" + site},
		{"another tenant is named", "run: renew_mnetkeys push --host=https://t2.example.org", tenant1, "run: sudo -u www-data renew_mnetkeys push --host=https://t2.example.org" + site},
		{"two commands", "do it. Then run: renew_mnetkeys push && renew_mnetkeys verify", "https://m.example.org",
			"do it. Then run: sudo -u www-data renew_mnetkeys push" + site + " --host=https://m.example.org && sudo -u www-data renew_mnetkeys verify" + site + " --host=https://m.example.org"},
		{"a tenant's purge is VMoodle's", "run: php admin/cli/purge_caches.php", tenant1,
			"run: sudo -u www-data php '/srv/my moodle/local/vmoodle/cli/purge_caches.php' --host=https://t1.example.org"},
		{"the master's purge is Moodle's", "run: php admin/cli/purge_caches.php", "https://m.example.org", "run: sudo -u www-data php '/srv/my moodle/admin/cli/purge_caches.php'"},
		{"what is typed on another machine", "on the peer's server run: curl WWWROOT/mnet/publickey.php", tenant1, "on the peer's server run: curl https://t1.example.org/mnet/publickey.php"},
		{"the same run by another user", "run: sudo -u www-data renew_mnetkeys …", tenant1, "run: sudo -u www-data renew_mnetkeys verify --cfg=dbpass=@FILE --host 'it'\\''s'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := inArray()
			if strings.HasSuffix(c.hint, "…") {
				out = inArray("verify", "--cfg=dbpass=@FILE", "--host", "it's")
			}
			got := out.Complete(c.hint, c.wwwroot)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if again := out.Complete(got, c.wwwroot); again != got {
				t.Errorf("it is completed twice: %s", again)
			}
		})
	}
}

func TestCommandsFindTheSiteAsTheirRunDid(t *testing.T) {
	out := inArray("verify", "--php", "/opt/php 8/bin/php", "--cfg=dbpass=@/etc/pass", "--host=https://t1.example.org", "--json", "--node=127.0.0.1")
	got := out.Complete("run: renew_mnetkeys push", tenant1)
	const want = "run: sudo -u www-data renew_mnetkeys push --config='/srv/my moodle/config.php' --php '/opt/php 8/bin/php' --cfg=dbpass=@/etc/pass --node=127.0.0.1 --host=https://t1.example.org"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Without its hook a run could not purge what only the hook purges.
func TestCommandsThatPurgeKeepTheHookOfTheirRun(t *testing.T) {
	const config, advised = " --config='/srv/my moodle/config.php'", "run: renew_mnetkeys --abandon-pending --cache-hook='systemctl reload php8.2-fpm'"
	out := inArray("push", "--cache-hook", "systemctl reload fpm")
	for hint, want := range map[string]string{
		advised:                      "run: sudo -u www-data renew_mnetkeys --abandon-pending" + config + " --cache-hook 'systemctl reload fpm'",
		"run: renew_mnetkeys push":   "run: sudo -u www-data renew_mnetkeys push" + config + " --cache-hook 'systemctl reload fpm'",
		"run: renew_mnetkeys doctor": "run: sudo -u www-data renew_mnetkeys doctor" + config,
	} {
		if got := out.Complete(hint, ""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := inArray("push").Complete(advised, ""); got != "run: sudo -u www-data renew_mnetkeys --abandon-pending --cache-hook='systemctl reload php8.2-fpm'"+config {
		t.Errorf("without a hook: %s", got)
	}
}

// To repeat a rollback would bring back the key that it has retired, and to repeat a renewal makes one
// more: what proves a key is a push. A move is finished by itself alone.
func TestAKeyThatWasNotProvenIsPushedWithTheCheck(t *testing.T) {
	const hint = "run: renew_mnetkeys push --self-check=auto"
	for command, want := range map[string]string{
		"rollback": "push --self-check=auto --config='/srv/my moodle/config.php'",
		"renew":    "push --self-check=auto --config='/srv/my moodle/config.php'",
		"move":     "move --from=https://old.example --self-check=auto",
	} {
		args := []string{command, "--self-check=off"}
		if command == "move" {
			args = []string{command, "--from=https://old.example", "--self-check=off"}
		}
		out := inArray(args...)
		out.Options.Command = cmdline.Name(command)
		if got := out.Complete(hint, ""); got != "run: sudo -u www-data renew_mnetkeys "+want {
			t.Errorf("%s: %s", command, got)
		}
	}
}

// A tenant that is left out may be one that must not be touched.
func TestCommandsForAllAreForTheTenantsOfTheirRun(t *testing.T) {
	out := inArray("push", "--all", "--exclude", "https://old.example.org*", "--match=*")
	out.Options.All = true
	const site = "run: sudo -u www-data renew_mnetkeys push"
	for hint, want := range map[string]string{
		"run: renew_mnetkeys push":       site + " --config='/srv/my moodle/config.php' --all --exclude 'https://old.example.org*' '--match=*'",
		"run: renew_mnetkeys push --all": site + " --all --config='/srv/my moodle/config.php' --exclude 'https://old.example.org*' '--match=*'",
	} {
		if got := out.Complete(hint, ""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := out.Complete("run: renew_mnetkeys push", tenant1); strings.Contains(got, "--exclude") {
		t.Errorf("of one tenant: %s", got)
	}
}

// A command without --all must leave out what needs it, too: the hint for that would be to add --all.
func TestACommandForOneSiteHasNoOptionsOfAnArray(t *testing.T) {
	out := inArray("push", "--all", "--withmaster", "--canary", "2", "--quiet")
	if got := out.Complete("run: renew_mnetkeys … without --all", ""); got != "run: sudo -u www-data renew_mnetkeys push --quiet" {
		t.Error(got)
	}
	byVariable := inArray("push", "--all=1", "--json") // as a variable comes before the arguments
	byVariable.Options.Elsewhere = map[string]string{"all": "is set by MNETKEYS_ALL"}
	if got := byVariable.Complete("run: renew_mnetkeys … without --all", ""); got != "run: sudo -u www-data renew_mnetkeys push --json --all=false" {
		t.Errorf("by a variable: %s", got)
	}
	if got := inArray("push", "--json").Complete("run: renew_mnetkeys … without --all", ""); got != "run: sudo -u www-data renew_mnetkeys push --json --all=false" {
		t.Errorf("all is set by the option file: %s", got)
	}
}

// A push in place of the same run is by the user who can do it.
func TestAPushIsAdvisedForTheUserOfTheHint(t *testing.T) {
	out := inArray("renew")
	out.Options.Command = cmdline.Renew
	next := out.pushInstead("as the owner of the cache, run: sudo -u games renew_mnetkeys …")
	const want = "as the owner of the cache, run: sudo -u games renew_mnetkeys push --config='/srv/my moodle/config.php' --host=" + tenant1
	if got := out.Complete(next, tenant1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// In an array the files of one tenant may belong to another user than those of the others: as that
// user the whole run would fail for the others, and its hint would lead back.
func TestARunByAnotherUserIsForTheTenantThatNeedsIt(t *testing.T) {
	const config, hint = " '--config=/srv/my moodle/config.php'", "run: sudo -u games renew_mnetkeys …"
	out := inArray("doctor", "--all", "-m", "--canary", "2", "--exclude=https://old.example", "--json", "--config", "/srv/my moodle/config.php")
	out.Options.All = true
	const alone = "run: sudo -u games renew_mnetkeys doctor --json" + config + " --host=" + tenant1
	for name, c := range map[string]struct{ hint, wwwroot, want string }{
		"one tenant":                  {hint, tenant1, alone},
		"whatever the run is about":   {hint, "", "run: sudo -u games renew_mnetkeys" + words(out.Arguments)},
		"the user of the whole array": {"run: sudo -u www-data renew_mnetkeys …", tenant1, "run: sudo -u www-data renew_mnetkeys" + words(out.Arguments)},
		"a config.php without a name": {hint, "/srv/my moodle/config.php", "run: sudo -u games renew_mnetkeys doctor --json" + config},
	} {
		if got := out.Complete(c.hint, c.wwwroot); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
	if got, want := out.CompleteGroup(hint, tenant1, true), "do this for each of these tenants, for example for "+tenant1+": "+alone; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	out.Options.All = false
	if got := out.Complete(hint, tenant1); got != "run: sudo -u games renew_mnetkeys"+words(out.Arguments) {
		t.Errorf("without --all: %s", got)
	}
}

// Each rollback that is repeated brings back the key that the last one has retired: for the other
// tenants of an array, and for a tenant if the command is to be run on each web server.
func TestNoHintBringsBackAKeyThatWasRolledBack(t *testing.T) {
	const site, host = " --config='/srv/my moodle/config.php'", " --host=" + tenant1
	onlyCopy, off := &rotate.OnlyCopyError{Err: rotate.ErrOnlyCopy}, &rotate.UnreachableError{Off: true, Purged: true}
	for _, c := range []struct {
		args string
		err  error
		want string
	}{
		{"rollback --yes" + host, onlyCopy, "push" + site + host},
		{"rollback --all --yes", onlyCopy, "push" + site + host},
		{"rollback --all --yes", off, "push" + site + host},
		{"rollback --yes" + host, &rotate.SharedCacheError{}, "rollback --yes" + host},
		{"rollback --all --yes", &rotate.SharedCacheError{}, "rollback --yes '--config=/srv/my moodle/config.php'" + host},
		{"push --all", onlyCopy, "push --all"},
		{"renew" + host, &rotate.OnlyCopyError{Err: rotate.ErrOnlyCopy, Pushable: true}, "push" + site + host},
		{"move --from=https://old.example" + host, &rotate.OnlyCopyError{Err: rotate.ErrOnlyCopy, Pushable: true}, "move --from=https://old.example" + host},
		{"renew --dry-run" + host, onlyCopy, "renew" + host}, // a dry run saves nothing
		{"push --dry-run" + host, onlyCopy, "push" + host},
		{"move --from=https://old.example --dry-run" + host, onlyCopy, "move --from=https://old.example" + host},
		{"rollback --dry-run" + host, onlyCopy, "push" + site + host},
	} {
		out := inArray(strings.Fields(c.args)...)
		command, _, _ := strings.Cut(c.args, " ")
		out.Options.All, out.Options.Command = strings.Contains(c.args, "--all"), cmdline.Name(command)
		out.Options.DryRun = strings.Contains(c.args, "--dry-run")
		r := rotate.TenantReport{Wwwroot: tenant1, Outcome: rotate.Failed, Exit: rotate.ExitNotRenewed, Err: c.err}
		if got := out.Complete(out.hintOf(r), tenant1); !strings.HasSuffix(got, "un: sudo -u www-data renew_mnetkeys "+c.want) {
			t.Errorf("%s: %s", c.args, got)
		}
	}
}

// A host is connected by the run itself, and by no dry run.
func TestTheCommandThatConnectsAHostIsNoDryRun(t *testing.T) {
	for _, args := range []string{"--bindhost=https://p.example", "--dry-run --bindhost=https://p.example"} {
		out := inArray(strings.Fields(args)...)
		out.Options.Command, out.Options.BindHost, out.Options.DryRun = cmdline.Renew, []string{"https://p.example"}, strings.Contains(args, "--dry-run")
		if got := out.Complete(out.pushInstead("to connect the two sites, run: renew_mnetkeys …"), tenant1); got != "to connect the two sites, run: sudo -u www-data renew_mnetkeys --bindhost=https://p.example" {
			t.Errorf("%s: %s", args, got)
		}
	}
}

// Text in a path is not an option of the command.
func TestAPathIsNoOption(t *testing.T) {
	out := inArray()
	out.Site.Config = "/srv/moodle --all/config.php"
	if got := out.Complete("run: renew_mnetkeys push", tenant1); !strings.HasSuffix(got, " --host="+tenant1) {
		t.Error(got)
	}
}

func TestAShellTakesQuotedWordsAsTheyWere(t *testing.T) {
	given := []string{"plain", "", "two words", "it's", `"$HOME"`, "`id`", "a;b", "ü", "-x=*", "line\nbreak", "~root"}
	said, err := exec.Command("/bin/sh", "-c", "printf '%s\\0'"+words(given)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(said), "\x00"), "\x00"); strings.Join(got, "|") != strings.Join(given, "|") {
		t.Errorf("got %q of %q", got, given)
	}
}

// The default configuration would be that of another site.
func TestCommandsNameTheConfigurationThatWasGivenUntilItIsFound(t *testing.T) {
	out := inArray("push", "--config", "/srv/b/config.php")
	out.Site = Site{}
	if got := out.Complete("run: renew_mnetkeys push", tenant1); got != "run: renew_mnetkeys push --config /srv/b/config.php --host="+tenant1 {
		t.Error(got)
	}
}

// A push would not rename the rows of the array.
func TestTheNextStepOfAMoveIsTheSameMove(t *testing.T) {
	out := inArray("move", "--from=http://old.example", "--yes")
	out.Options.Command = cmdline.Move
	const want = "run: sudo -u www-data renew_mnetkeys move --from=http://old.example --yes"
	for _, hint := range []string{"run: renew_mnetkeys push", "run: renew_mnetkeys …", "run: renew_mnetkeys push --all --withmaster"} {
		if got := out.Complete(hint, tenant1); got != want {
			t.Errorf("%s: %s", hint, got)
		}
	}
	if got := out.Complete("run: renew_mnetkeys doctor", tenant1); !strings.Contains(got, " doctor --config=") {
		t.Error(got)
	}
}

func TestARunThatNeverBeganLeavesNothingToFinish(t *testing.T) {
	var stdout, stderr strings.Builder
	out := printerOf(cmdline.Options{Command: cmdline.Rollback}, &stdout, &stderr)
	out.Stop(130, fmt.Errorf("nothing was done: %w", &SignalError{syscall.SIGINT}))
	if said := stderr.String(); !strings.Contains(said, "nothing was changed") || strings.Contains(said, "push") {
		t.Error(said)
	}
}

// A command that lost the selection would push for more tenants than the run was about.
func TestCommandsKeepTheSelectionHoweverManyDashesItHas(t *testing.T) {
	for _, dashes := range []string{"-", "--"} {
		out := inArray(dashes+"all", dashes+"match=https://t1.*", dashes+"exclude", "https://old.example")
		out.Options.All = true
		got := out.Complete("run: renew_mnetkeys push", "")
		if want := " --all '" + dashes + "match=https://t1.*' " + dashes + "exclude https://old.example"; !strings.HasSuffix(got, want) || !out.Typed("exclude") || out.Typed("shard") {
			t.Errorf("got %s, want %s at its end", got, want)
		}
	}
}

// A move renames rows in the databases of all members: a config.php of one site knows no other.
func TestAMoveIsAdvisedForAllConfigsOfAnArray(t *testing.T) {
	const hint = "run: renew_mnetkeys move --from=https://old.example"
	out := inArray("check", "--all", "--config=/srv/*/config.php", "--config=/opt/config.php")
	out.Options.All = true
	out.Site = Site{User: "root"}
	out.SiteOf = func(string) Site { return Site{Config: "/srv/a/config.php", User: "www-data"} }
	want := "run: sudo -u root renew_mnetkeys move --from=https://old.example '--config=/srv/*/config.php' --config=/opt/config.php --host=" + tenant1
	if got := out.Complete(hint, tenant1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := out.Complete("run: renew_mnetkeys push", tenant1); !strings.Contains(got, " --config=/srv/a/config.php ") {
		t.Error(got)
	}
}
