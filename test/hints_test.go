package test

import (
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// ourCommand matches a command of this tool, or Moodle's script that purges the caches, in a
// sentence.
var ourCommand = regexp.MustCompile(`\brenew_mnetkeys( (push|rollback|move|verify|status|check|doctor|--\w|…)|$|[.,;:)])|purge_caches\.php`)

// hintsInSource are the texts of the product's packages that advise a command, with their
// positions. The texts of package cmdline are about the command line itself; advice.go reads commands,
// and paste.go completes them.
func hintsInSource(t *testing.T) map[string]token.Position {
	t.Helper()
	hints := map[string]token.Position{}
	for _, l := range literals(t) {
		if strings.Contains(l.text, " ") && ourCommand.MatchString(l.text) && !slices.Contains([]string{"advice.go", "paste.go"}, filepath.Base(l.at.Filename)) &&
			filepath.Base(filepath.Dir(l.at.Filename)) != "cmdline" {
			hints[l.text] = l.at
		}
	}
	return hints
}

// afterRun matches the start of a hint's commands, which must be at its end: any text after a
// command would be pasted with it.
var afterRun = regexp.MustCompile(`[rR]un: (.*)$`)

func TestCommandsInHintsStandAtTheirEnd(t *testing.T) {
	t.Parallel()
	for text, at := range hintsInSource(t) {
		before, _, _ := strings.Cut(text, "un: ")
		if m := afterRun.FindStringSubmatch(text); ourCommand.MatchString(before) || m == nil && ourCommand.MatchString(text) || m != nil && strings.ContainsAny(m[1], ";,()") {
			t.Errorf("%s: a command in the middle of a sentence cannot be pasted: %q", at, text)
		}
	}
}

// advised are the hints of the source that end with commands.
func advised(t *testing.T) (hints []string) {
	t.Helper()
	for text := range hintsInSource(t) {
		if afterRun.MatchString(text) && !strings.Contains(text, "%") {
			hints = append(hints, text)
		}
	}
	slices.Sort(hints)
	if len(hints) < 15 {
		t.Fatalf("only %d hints with commands were found", len(hints))
	}
	return hints
}

// shellWith is a folder for PATH in which renew_mnetkeys is the command, and sudo runs its
// arguments as the user who runs the tests.
func shellWith(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Symlink(binary(t), filepath.Join(dir, "renew_mnetkeys")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\nshift 2\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryCommandThatIsAdvisedRunsAsItIsPrinted(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{Socket: true})
	peer, err := peertest.Start(peertest.Options{Kind: peertest.Patched})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	addFake(t, own, peer)
	own.Warm(t)
	path := shellWith(t)
	// The reload of php-fpm empties a cache that is in memory; here it is in files.
	reload := "#!/bin/sh\nexec php " + filepath.Join(own.Dirroot, "admin", "cli", "purge_caches.php") + "\n"
	if err := os.WriteFile(filepath.Join(path, "systemctl"), []byte(reload), 0o755); err != nil {
		t.Fatal(err)
	}
	path += ":" + os.Getenv("PATH")
	out := &output.Printer{Arguments: []string{"status", "--config", own.ConfigFile}, Site: output.Site{
		Config: own.ConfigFile, User: "www-data", Tenant: func(string) bool { return false },
		Purge: filepath.Join(own.Dirroot, "admin", "cli", "purge_caches.php")}}
	f := newFleet(t, fleetOptions{tenants: 2})
	f.renew(t, "--all", "--withmaster").expect(t, 0)
	ofArray := &output.Printer{Arguments: []string{"rollback", "--all", "--config", f.config}, Site: output.Site{
		Config: f.config, User: "www-data", Tenant: func(string) bool { return true }}}
	for _, hint := range advised(t) {
		if strings.HasSuffix(hint, "--from=") { // of a site that has moved: TestASiteThatHasMoved runs it
			continue
		}
		if strings.HasSuffix(hint, "--host=") { // of a member of an array
			hint += own.Wwwroot
		}
		if strings.HasSuffix(hint, "--bindhost=") { // of another member
			hint += peer.Wwwroot()
		}
		out := out
		if strings.HasSuffix(hint, " --all --withmaster") || strings.HasSuffix(hint, " … --dry-run") {
			out = ofArray
		}
		commands := afterRun.FindStringSubmatch(out.Complete(hint, own.Wwwroot))[1]
		t.Run(commands, func(t *testing.T) {
			if strings.HasPrefix(commands, "curl ") {
				if _, err := exec.LookPath("curl"); err != nil {
					t.Skip("curl is not installed here; it is advised for another machine")
				}
			}
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", commands)
			cmd.Env = append(os.Environ(), "PATH="+path, "GORACE="+noSleep)
			cmd.WaitDelay = time.Second
			code := rotate.ExitOK
			if strings.Contains(commands, "--self-check=off") { // which proves nothing
				code = rotate.ExitPeers
			}
			run1(t, cmd).expect(t, code)
		})
	}
}
