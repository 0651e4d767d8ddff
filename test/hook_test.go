package test

import (
	"encoding/json"
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

// recorder is a hook that keeps its input.
type recorder struct {
	dir  string
	line string // the command
}

// newRecorder makes a hook that keeps its input, and then does something.
func newRecorder(t testing.TB, then string) recorder {
	t.Helper()
	h := recorder{dir: t.TempDir()}
	script := filepath.Join(t.TempDir(), "hook.sh")
	text := fmt.Sprintf("f=$(mktemp '%s/XXXXXX') && env >$f.env && cat >$f.in\n%s\n", h.dir, then)
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.line = "sh '" + script + "'"
	return h
}

// hookRun is what a hook received in one run.
type hookRun struct {
	env   map[string]string // variables that begin with MNET
	stdin string
}

// runs are all of its runs, in which no secret may occur.
func (h recorder) runs(t testing.TB, secrets ...string) (all []hookRun) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "*.in"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		stdin, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		env, err := os.ReadFile(strings.TrimSuffix(file, ".in") + ".env")
		if err != nil {
			t.Fatal(err)
		}
		given := ran{stdout: string(stdin), stderr: string(env)}
		given.revealsNothing(t, secrets)
		r := hookRun{env: map[string]string{}, stdin: string(stdin)}
		for _, line := range strings.Split(string(env), "\n") {
			if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, "MNET") {
				r.env[name] = value
			}
		}
		all = append(all, r)
	}
	return all
}

// once is its only run.
func (h recorder) once(t testing.TB, secrets ...string) hookRun {
	t.Helper()
	all := h.runs(t, secrets...)
	if len(all) != 1 {
		t.Fatalf("the hook was run %d times", len(all))
	}
	return all[0]
}

// document is what the hook received, as the schema of --json describes it.
func (r hookRun) document(t testing.TB) (d document) {
	t.Helper()
	ofSchema(t, r.stdin)
	if err := json.Unmarshal([]byte(r.stdin), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (r hookRun) expect(t testing.TB, env map[string]string) {
	t.Helper()
	for name, want := range env {
		if got, ok := r.env[name]; got != want || !ok {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	for name := range r.env {
		if _, ok := env[name]; !ok {
			t.Errorf("it was given %s too", name)
		}
	}
}

func TestHooksAreToldWhatHappensAndNoSecret(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1})
	one := f.tenants[1]
	pre, post := newRecorder(t, ""), newRecorder(t, "")
	purge := newRecorder(t, "rm -r '"+one.Dataroot+"/cache'")
	pair, before := pairOf(t, one.Site), f.secrets(t)

	cmd := command(t, "--config="+f.config, "--host="+one.Wwwroot, "--pre-hook="+pre.line, "--cache-hook", purge.line, "--post-hook="+post.line)
	cmd.Env = append(cmd.Env, "MNETKEYS_CFG=dbpass=@"+write(t, f.master.DB.Password)) // these have no option
	run1(t, cmd).expect(t, 0)
	coherent(t, one.Site)
	if pairOf(t, one.Site) == pair {
		t.Error("the key was not renewed")
	}
	secrets := append(before, f.secrets(t)...)

	first := pre.once(t, secrets...)
	first.expect(t, map[string]string{"MNET_HOOK": "pre-hook", "MNET_COMMAND": "renew", "MNET_WWWROOT": one.Wwwroot})
	if d := first.document(t); len(d.Tenants) > 0 || d.Command != "renew" {
		t.Errorf("%+v", d)
	}
	cache := purge.once(t, secrets...)
	cache.expect(t, map[string]string{"MNET_HOOK": "cache-hook", "MNET_COMMAND": "renew", "MNET_WWWROOT": one.Wwwroot, "MNET_CONFIG": f.config, "MNET_DROP": "entry"})
	if want := fmt.Sprintf(`{"drop":"entry","wwwroot":%q}`+"\n", one.Wwwroot); cache.stdin != want {
		t.Errorf("the cache-hook was given %s", cache.stdin)
	}
	documented, err := os.ReadFile(filepath.Join(testbed.Root(t), "docs", "options.md"))
	if err != nil {
		t.Fatal(err)
	}
	if sample := strings.ReplaceAll(strings.TrimSpace(cache.stdin), one.Wwwroot, "https://tenant.example.org"); !strings.Contains(string(documented), sample) {
		t.Errorf("docs/options.md does not say that the cache-hook gets %s", sample)
	}
	last := post.once(t, secrets...)
	last.expect(t, map[string]string{"MNET_HOOK": "post-hook", "MNET_COMMAND": "renew", "MNET_WWWROOT": one.Wwwroot, "MNET_OUTCOME": "renewed",
		"MNET_SELF_CHECK": "proven", "MNET_EXIT_CODE": "0", "MNET_TENANTS": "1", "MNET_PEERS_UNPROVEN": "0"})
	if d := last.document(t); d.ExitCode != 0 || len(d.Tenants) != 1 || d.Tenants[0].Outcome != rotate.Renewed || len(d.Tenants[0].Peers) != 3 {
		t.Errorf("%+v", d)
	}
}

func TestAnArrayHasOnePostHookWithoutPeers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 4, outsiders: 1})
	f.outsiders[0].Misbehave(peertest.Status(503))
	before := f.secrets(t)
	for _, c := range []struct {
		name            string
		args            []string
		tenants, peers  string
		each            map[string]string
		caches, renewed int
	}{
		{"three tenants", nil, "3", "3", nil, 3, 3},
		{"one of them", []string{"--match=" + f.glob(1), "--fresh=0s", "--abandon-pending"}, "1", "1", map[string]string{
			"MNET_WWWROOT": f.tenants[1].Wwwroot, "MNET_OUTCOME": "renewed", "MNET_SELF_CHECK": "proven"}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var purges []string
			for _, s := range f.tenants {
				purges = append(purges, fmt.Sprintf("[ $MNET_WWWROOT != '%s' ] || rm -r '%s/cache'", s.Wwwroot, s.Dataroot))
			}
			pre, cache, post := newRecorder(t, ""), newRecorder(t, strings.Join(purges, "\n")), newRecorder(t, "")
			r := f.renew(t, append([]string{"--all", "--json", "--retries=0", "--pre-hook", pre.line, "--cache-hook", cache.line, "--post-hook", post.line}, c.args...)...)
			r.expect(t, 3)
			secrets := append(before, f.secrets(t)...)
			pre.once(t, secrets...).expect(t, map[string]string{"MNET_HOOK": "pre-hook", "MNET_COMMAND": "renew", "MNET_WWWROOT": ""})
			want := map[string]string{"MNET_HOOK": "post-hook", "MNET_COMMAND": "renew", "MNET_EXIT_CODE": "3", "MNET_TENANTS": c.tenants, "MNET_PEERS_UNPROVEN": c.peers}
			for name, value := range c.each {
				want[name] = value
			}
			last := post.once(t, secrets...)
			last.expect(t, want)
			d := last.document(t)
			for _, tenant := range d.Tenants {
				if tenant.Outcome != rotate.Renewed || len(tenant.Peers) > 0 {
					t.Errorf("%+v", tenant)
				}
			}
			if len(d.Tenants) != c.renewed || len(cache.runs(t, secrets...)) != c.caches {
				t.Errorf("%d tenants, %d runs of the cache-hook", len(d.Tenants), len(cache.runs(t)))
			}
			for _, tenant := range r.document(t).Tenants {
				if len(tenant.Peers) != 4 {
					t.Errorf("the output leaves out peers: %+v", tenant)
				}
			}
		})
	}
}

func TestWhatKeepsARunFromBeginningChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	f.renew(t, "--all", "--withmaster").expect(t, 0) // there is something to roll back
	before := f.state(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"a pre-hook that fails":                {[]string{"--pre-hook=sh -c 'echo not today; exit 9'"}, 1, []string{"error: nothing was done: the pre-hook failed: sh ended with exit code 9", "not today"}},
		"a pre-hook that is not there":         {[]string{"--pre-hook=nothing-like-that -v"}, 2, []string{"error: --pre-hook: nothing-like-that was not found"}},
		"a cache-hook that is a directory":     {[]string{"--cache-hook=" + t.TempDir()}, 2, []string{"error: --cache-hook: ", "is a directory"}},
		"a post-hook with half a pipe":         {[]string{"--post-hook=logger renewed |"}, 2, []string{"error: --post-hook: sh cannot read the command"}},
		"one of several that is not there":     {[]string{"--pre-hook=true; nothing-like-that"}, 1, []string{"error: nothing was done: the pre-hook failed: sh ended with exit code 127", "nothing-like-that: not found"}},
		"a quote that nobody closes":           {[]string{"--post-hook=sh -c 'true"}, 2, []string{"error: --post-hook: ", "not closed"}},
		"a hook that is nothing":               {[]string{"--post-hook="}, 2, []string{"error: --post-hook must not be empty"}},
		"a post-hook that only comes too late": {[]string{"--pre-hook=true", "--cache-hook=true", "--post-hook=/nowhere/to/be/found"}, 2, []string{"error: --post-hook: "}},
	} {
		t.Run(name, func(t *testing.T) {
			f.renew(t, append(c.args, "--all")...).expect(t, c.code, c.says...)
		})
	}
	for _, cmd := range []string{"renew", "push", "rollback"} {
		t.Run("of "+cmd, func(t *testing.T) {
			args := []string{"--host=" + f.tenants[1].Wwwroot, "--pre-hook=false"}
			if cmd == "rollback" {
				args = append(args, "--yes")
			}
			f.command(t, cmd, args...).expect(t, 1, "error: nothing was done: the pre-hook failed: false ended with exit code 1")
		})
	}
	t.Run("as JSON", func(t *testing.T) {
		post := newRecorder(t, "")
		for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
			r := f.renew(t, which, "--json", "--pre-hook=false", "--post-hook="+post.line)
			r.expect(t, 1)
			if d := r.document(t); len(d.Tenants) != 1 || d.Tenants[0].Outcome != rotate.Failed || !strings.Contains(d.Tenants[0].Error, "the pre-hook failed: false ended with exit code 1") {
				t.Errorf("%+v", d)
			}
		}
		for _, r := range post.runs(t) {
			if r.env["MNET_EXIT_CODE"] != "1" || r.env["MNET_OUTCOME"] != "failed" {
				t.Errorf("%v", r.env)
			}
		}
	})
	t.Run("a dry run has no hooks", func(t *testing.T) {
		hook := newRecorder(t, "exit 1")
		for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
			f.renew(t, which, "--dry-run", "--pre-hook", hook.line, "--cache-hook", hook.line, "--post-hook", hook.line).expect(t, 0, "nothing was changed")
		}
		if n := len(hook.runs(t)); n > 0 {
			t.Errorf("hooks were run %d times", n)
		}
	})
	if f.state(t) != before {
		t.Error("something was changed")
	}
}

func TestAPostHookThatFailsShows(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	const failing = "--post-hook=sh -c 'echo my disk is full; exit 7'"
	for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
		says := []string{"error: the post-hook failed: sh ended with exit code 7", "my disk is full"}
		f.command(t, "push", which, failing).expect(t, 3, append(says, "proven")...)
		r := f.command(t, "push", which, failing, "--json")
		r.expect(t, 3, says...)
		if d := r.document(t); d.Tenants[0].Outcome != rotate.Kept || d.Tenants[0].Unproven() > 0 {
			t.Errorf("%+v", d)
		}
	}
	f.tenants[1].DB.Exec(t, "UPDATE {config} SET value = 'off' WHERE name = 'mnet_dispatcher_mode'")
	for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
		r := f.command(t, "push", which, failing, "--json")
		r.expect(t, 1, "error: the post-hook failed: sh ended with exit code 7")
		r.document(t)
	}
}

func TestACacheHookTakesThePlaceOfOurOwnInvalidation(t *testing.T) {
	t.Parallel()
	own, peer := testbed.PHPSite(t, testbed.Options{}), testbed.PHPSite(t, testbed.Options{Kind: testbed.Patched})
	own.Peer(t, peer)
	purge := fmt.Sprintf(`'%s' -r 'exit(file_get_contents("%s/test/cache.php?do=purge") === false ? 1 : 0);'`, testbed.PHP(t), own.Wwwroot)
	for _, c := range []struct {
		name, hook string
		code       int
		says       []string
		renewed    bool
		drops      []string // of its runs
	}{
		{"one that does nothing", "true", 1, []string{"error: the old key was restored", "fault_7023"}, false, []string{"all", "definition", "entry", "entry"}}, // the last one belongs to the undo
		{"one that purges", purge, 0, []string{"1 of 1 peer proven"}, true, []string{"entry"}},
	} {
		own.Warm(t)
		pair := pairOf(t, own)
		hook := newRecorder(t, c.hook)
		renewIt(t, own, "--cache-hook", hook.line).expect(t, c.code, c.says...)
		var drops []string
		for _, run := range hook.runs(t) {
			drops = append(drops, run.env["MNET_DROP"])
		}
		if slices.Sort(drops); !slices.Equal(drops, c.drops) {
			t.Errorf("%s: run for %q", c.name, drops)
		}
		if renewed := pairOf(t, own) != pair; renewed != c.renewed {
			t.Errorf("%s: renewed: %v", c.name, renewed)
		}
		if peer.Held(t, own.Wwwroot) != coherent(t, own) {
			t.Errorf("%s: the peer holds another certificate than the site uses", c.name)
		}
		linked(t, own, peer)
	}
}

func TestACacheHookThatFailsShows(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1, kind: peertest.Stock})
	works, fails := f.tenants[1], f.tenants[2]
	hook := "--cache-hook=" + newRecorder(t, fmt.Sprintf("[ $MNET_WWWROOT = '%s' ] || rm -r '%s/cache'\necho who am I; exit 5", fails.Wwwroot, works.Dataroot)).line
	const failed = "the cache-hook failed: sh ended with exit code 5"

	pair := pairOf(t, fails.Site)
	r := f.renew(t, "--all", "--json", "--canary=0", hook)
	r.expect(t, 3, "who am I", "error: "+failed+", but "+works.Wwwroot+" uses the stored key\nhint: correct the hook before the next renewal, which will need it\n")
	reports := r.byTenant(t)
	if got := reports[works.Wwwroot]; got.Outcome != rotate.Renewed || got.SelfCheck != rotate.SelfProven || got.Error != "" {
		t.Errorf("the one whose cache is purged: %+v", got)
	}
	if got := reports[fails.Wwwroot]; got.Outcome != rotate.Undone || got.SelfCheck != rotate.SelfProven || !strings.Contains(got.Error, failed) {
		t.Errorf("the one whose cache is not: %+v", got)
	}
	if pairOf(t, fails.Site) != pair {
		t.Error("the key of the one whose cache is not is another")
	}
	r = f.renew(t, "--host="+works.Wwwroot, "--json", hook)
	r.expect(t, 3, "who am I", "error: "+failed)
	if got := r.document(t).Tenants[0]; got.Outcome != rotate.Renewed || got.Unproven() > 0 {
		t.Errorf("%+v", got)
	}
	for _, s := range f.tenants {
		coherent(t, s.Site)
	}
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}

// A run that is refused for a hook is the last run of its command, too; what is known of sites stays.
func TestARunThatIsRefusedForItsHookWritesItsExitCode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "mnet.prom")
	const site = `renew_mnetkeys_certificate_not_after_timestamp_seconds{wwwroot="https://t.example"} 1895140800`
	if err := os.WriteFile(file, []byte(site+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run1(t, command(t, "--config=/nonexistent/config.php", "--all", "--prometheus-file="+file, "--cache-hook=/nonexistent/hook")).expect(t, 2)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `renew_mnetkeys_last_run_exit_code{command="renew",file="mnet.prom"} 2`) || !strings.Contains(string(text), site) {
		t.Errorf("%s", text)
	}
}
