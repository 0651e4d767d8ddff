package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"renew_mnetkeys/internal/testbed"
)

// shownArguments makes the command a function that shows its arguments: what the completed line
// would have run.
const shownArguments = "renew_mnetkeys() { printf '<%s>' \"$@\"; echo; }\n"

const (
	prompt    = "ready>"
	tab       = "\t"
	enter     = "\r"
	clearLine = "\x15"
)

func TestBashCompletes(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "completion", completion(t, "bash"))
	rc := place(t, dir, "bashrc", shownArguments+"PS1='"+prompt+" '\nbind 'set show-all-if-ambiguous on'\nbind 'set enable-bracketed-paste off'\nsource ./completion\n")
	completesAtATerminal(t, dir, testbed.Program(t, "bash"), "--noprofile", "--rcfile", rc, "-i")
}

func TestZshCompletes(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "completion", completion(t, "zsh"))
	place(t, dir, ".zshrc", shownArguments+"PS1='"+prompt+" '\nautoload -Uz compinit\ncompinit -u -d ./compdump\nsource ./completion\n")
	completesAtATerminal(t, dir, testbed.Program(t, "zsh"), "-d", "-i")
}

// completesAtATerminal presses Tab in a shell.
func completesAtATerminal(t *testing.T, dir string, shell ...string) {
	place(t, dir, "moodle_config.php", "")
	for _, c := range []struct {
		name, typed string
		want        []string
	}{
		{"a command", "chec" + tab + enter, []string{"<check>"}},
		{"an option", "--pu" + tab + clearLine, []string{"renew_mnetkeys --push="}},
		{"an option, and its value", "--pu" + tab + "ke" + tab + enter, []string{"<--push=keyswap>"}},
		{"the value of an option that is its own word", "--log-format js" + tab + enter, []string{"<--log-format><json>"}},
		{"a path", "status --config=moodle_c" + tab + enter, []string{"<status><--config=moodle_config.php>"}},
		{"what generate takes", "generate fi" + tab + enter, []string{"<generate><fish>"}},
		{"what help takes", "help sta" + tab + enter, []string{"<help><status>"}},
		{"a word that is no command", "vers" + tab + enter, []string{"<version>"}},
		{"an option of one command", "rollback --ye" + tab + enter, []string{"<rollback><--yes>"}},
		{"no option of another command", "push --ye" + tab + enter, []string{"<push><--ye>"}},
		{"both where two are possible", "status --l" + tab + clearLine, []string{"--live", "--log-format"}},
		{"no host names", "--host=loc" + tab + enter, []string{"<--host=loc>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			screen := atATerminal(t, dir, shell, "renew_mnetkeys "+c.typed)
			for _, want := range c.want {
				if !strings.Contains(screen, want) {
					t.Errorf("%s is not there:\n%q", want, screen)
				}
			}
		})
	}
}

// fish completes without a terminal in the same way as with one.
func TestFishCompletes(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "completion", completion(t, "fish"))
	place(t, dir, "moodle_config.php", "")
	for _, c := range []struct {
		name, typed string
		want        string // the completions, without their descriptions
	}{
		{"a command", "chec", "check"},
		{"an option", "--pu", "--push"},
		{"the value of an option", "--push=ke", "--push=keyswap"},
		{"the value of an option that is its own word", "--log-format js", "json"},
		{"a path", "status --config moodle_c", "moodle_config.php"},
		{"what generate takes", "generate fi", "fish"},
		{"what help takes", "help sta", "status"},
		{"a word that is no command", "vers", "version"},
		{"an option of one command", "rollback --ye", "--yes"},
		{"no option of another command", "push --ye", ""},
		{"both where two are possible", "status --l", "--live --log-format"},
		{"no files where none are meant", "moodle_c", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fish := exec.Command(testbed.Program(t, "fish"), "--no-config", "-c", "source ./completion; complete -C "+"'renew_mnetkeys "+c.typed+"'")
			fish.Dir, fish.Env = dir, append(os.Environ(), "HOME="+dir)
			out, err := fish.CombinedOutput()
			var got []string
			for line := range strings.Lines(string(out)) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				got = append(got, word)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q (%v)", out, err)
			}
		})
	}
}

// atATerminal runs a shell on a terminal of its own, types after the shell has printed its prompt,
// and returns what was on the screen in the end. The shell is only asked to exit after everything
// was read: what a terminal has not delivered by then is lost.
func atATerminal(t *testing.T, dir string, shell []string, typed string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ours, theirs := terminal(t)
	defer ours.Close()
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, theirs, theirs, theirs
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ZDOTDIR=" + dir, "TERM=dumb", "LC_ALL=C.UTF-8", "HISTFILE=/dev/null"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	var screen strings.Builder
	part := make([]byte, 4096)
	steps := []struct{ seen, typed string }{{prompt, typed + `echo the\ end` + enter}, {"the end", "exit" + enter}}
	for {
		n, err := ours.Read(part)
		screen.Write(part[:n])
		if len(steps) > 0 && strings.Contains(screen.String(), steps[0].seen) {
			if _, err := ours.WriteString(steps[0].typed); err != nil {
				t.Fatal(err)
			}
			steps = steps[1:]
		}
		if err != nil { // EIO, after the shell has closed its side
			break
		}
	}
	if err := cmd.Wait(); ctx.Err() != nil {
		t.Fatalf("the shell did not end: %v\n%q", err, screen.String())
	}
	return screen.String()
}

// terminal opens both sides of a pseudo terminal.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testbed.Missing(t, err.Error())
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// completion is what generate prints for a shell.
func completion(t *testing.T, shell string) string {
	t.Helper()
	r := run1(t, command(t, "generate", shell))
	r.expect(t, 0)
	return r.stdout
}
