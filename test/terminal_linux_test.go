package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// screen is a command on a terminal of its own.
type screen struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	ended  chan struct{} // the command has closed the terminal

	mu      sync.Mutex
	written bytes.Buffer
}

// onTerminal starts a command on a terminal (pty(7)), as a shell does.
func onTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	master, slave := terminal(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	x := &screen{t: t, cmd: cmd, master: master, ended: make(chan struct{})}
	go func() {
		defer close(x.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			x.mu.Lock()
			x.written.Write(buffer[:n])
			x.mu.Unlock()
			if err != nil { // EIO after no process has the terminal open
				return
			}
		}
	}()
	return x
}

// text is what is on the screen, without the lines that were wiped.
func (x *screen) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var kept []string
	for line := range strings.Lines(strings.ReplaceAll(x.written.String(), "\r\n", "\n")) {
		kept = append(kept, line[strings.LastIndex(line, "\x1b[K")+1:])
	}
	return strings.ReplaceAll(strings.Join(kept, ""), "[K", "")
}

// says waits until a text is on the screen.
func (x *screen) says(text string) {
	x.t.Helper()
	waitFor(x.t, text, func() bool { return strings.Contains(x.text(), text) })
}

// types sends what a person types.
func (x *screen) types(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// end waits for the command to end.
func (x *screen) end() ran {
	_ = x.cmd.Wait()
	<-x.ended
	return ran{code: x.cmd.ProcessState.ExitCode(), stdout: x.text()}
}

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
)

func TestRollbackAsksOnATerminal(t *testing.T) {
	t.Parallel()
	own, _, _ := threeSites(t)
	former := pairOf(t, own)
	renewIt(t, own).expect(t, 0)
	stored := pairOf(t, own)
	key := func(pair string) string {
		c, err := envelope.ParseCertificate(strings.Split(pair, "@@@@")[0])
		if err != nil {
			t.Fatal(err)
		}
		return "sha256 " + c.Fingerprint() + ", valid until " + rotate.FormatTime(c.NotAfter) + "\n"
	}
	for _, c := range []struct {
		name, keys string
		code       int
		says       string
		again      bool // the key goes back
	}{
		{"no", "n\n", 1, "error: not rolled back", false},
		{"nothing", "\n", 1, "error: not rolled back", false},
		{"the end of the input", ctrlD, 1, "error: not rolled back", false},
		{"Ctrl-C", ctrlC, 130, "\nerror: nothing was done: interrupted by SIGINT", false},
		{"yes", "y\n", 0, "rolled back", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := onTerminal(t, command(t, "rollback", "--config="+own.ConfigFile))
			x.says(own.Wwwroot + "\n  current key   " + key(stored) + "  previous key  " + key(former) + "Go back to the previous key of the tenant of config.php? [y/N] ")
			x.types(c.keys)
			x.end().expect(t, c.code, c.says)
			if back := pairOf(t, own) != stored; back != c.again {
				t.Errorf("the key went back: %v", back)
			}
		})
	}
}

// What was agreed to holds for the keys that were named. A run that renews a key meanwhile retires
// another one, to which nobody agreed to go back.
func TestARollbackGoesBackToNoOtherKeyThanTheQuestionNamed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	f.renew(t, "--all", "--withmaster").expect(t, 0)
	master, one := f.tenants[0].Site, f.tenants[1].Wwwroot
	for _, c := range []struct {
		name  string
		scope []string
		code  int
		back  bool // the master, which no other run has renewed, goes back
	}{
		{"one tenant", []string{"--host=" + one}, 1, false},
		{"an array", []string{"--all"}, 1, false},
		{"one of two tenants", []string{"--all", "--withmaster"}, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored := pairOf(t, master)
			former := historyOf(t, master)[0]
			x := onTerminal(t, command(t, append([]string{"rollback", "--config=" + f.config}, c.scope...)...))
			x.says("[y/N] ")
			f.renew(t, "--host="+one).expect(t, 0)
			renewed := pairOf(t, f.tenants[1].Site)
			x.types("y\n")
			x.end().expect(t, c.code, "the previous key is not the one that the question named")
			if now := pairOf(t, master); (now == former) != c.back || (now == stored) == c.back {
				t.Errorf("the master went back to the key that was named: %v", now == former)
			}
			if pairOf(t, f.tenants[1].Site) != renewed {
				t.Error("the key that was renewed meanwhile is not the current one")
			}
		})
	}
}

// A question that can only end in an error is not asked.
func TestARollbackWithoutAKeyToGoBackToDoesNotAsk(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	undone := f.tenants[1]
	f.renew(t, "--host="+undone.Wwwroot).expect(t, 0)
	history := historyOf(t, undone.Site)
	undone.DB.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", serialized(t, history, history...))
	f.says(t, f.tenants[2].Site, "vdbhost = '127.0.0.1:1'")
	before := f.tables(t)
	for _, c := range []struct {
		scope []string
		code  int
		says  []string
	}{
		{[]string{"--host=" + undone.Wwwroot}, 1, []string{"error: the key history has only keys of renewals that were undone: there is no key to go back to\nhint: to make a new key, run: ", "--host=" + undone.Wwwroot}},
		{[]string{"--host=" + f.tenants[0].Wwwroot}, 1, []string{"error: the key history is empty: there is no key to go back to\nhint: "}},
		{[]string{"--host=" + f.tenants[2].Wwwroot}, 1, []string{"error: open the tenant's database: connect: ", ": connection refused\nhint: "}},
		{[]string{"--host=https://none.example"}, 2, []string{"error: ", "none.example"}},
		{[]string{"--all", "--withmaster"}, 1, []string{
			undone.Wwwroot + "\n  current key   sha256 ", "  previous key  none: the key history has only keys of renewals that were undone",
			"error: no selected tenant that could be read has a key to go back to, nothing was changed\nhint: to see the reason for each tenant, run: ", " rollback --config=" + f.config + " --all --withmaster --dry-run",
		}},
	} {
		x := onTerminal(t, command(t, append([]string{"rollback", "--config=" + f.config}, c.scope...)...))
		_, _ = x.master.WriteString(ctrlD) // ends a question, if there is one
		x.end().expect(t, c.code, c.says...)
		if strings.Contains(x.text(), "[y/N]") {
			t.Errorf("it asks:\n%s", x.text())
		}
	}
	if f.tables(t) != before {
		t.Error("something was written")
	}
}

// The keys of every tenant are named before the question. A tenant that cannot be read is named, too.
func TestTheRollbackOfAnArrayNamesTheKeys(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3})
	f.renew(t, "--all").expect(t, 0)
	f.says(t, f.tenants[2].Site, "vdbhost = '127.0.0.1:1'")
	before := f.tables(t)
	x := onTerminal(t, command(t, "rollback", "--config="+f.config, "--all"))
	x.says("Go back to the previous key of every selected tenant of the array? [y/N] ")
	shown := x.text()
	if strings.Count(shown, "current key   sha256 ") != 1 || strings.Count(shown, "previous key  sha256 ") != 1 || !strings.Contains(shown, f.tenants[2].Wwwroot+"\n  could not be read: ") {
		t.Error(shown)
	}
	x.types("n\n")
	x.end().expect(t, 1, "error: not rolled back")
	if f.tables(t) != before {
		t.Error("something was written")
	}
}

func TestAMoveAsksOnATerminal(t *testing.T) {
	t.Parallel()
	own := testbed.PHPSite(t, testbed.Options{})
	old := formerly(t, own)
	own.Purge(t)
	row := rowOf(t, own, old)
	for _, c := range []struct {
		keys string
		code int
		says string
		name string
	}{
		{"n\n", 1, "error: not moved", old},
		{"y\n", 0, "the key is renewed", own.Wwwroot},
	} {
		x := onTerminal(t, command(t, "move", "--config="+own.ConfigFile, "--from="+old))
		x.says("Has the tenant of config.php moved from " + old + "? It gets a new key, and every database of its array gets its new wwwroot. If it is a copy, the original loses its links. [y/N] ")
		x.types(c.keys)
		x.end().expect(t, c.code, c.says)
		if got := named(t, own, row); got != c.name {
			t.Errorf("the row has the wwwroot %s", got)
		}
	}
}

// A user who waits learns why, before the wait ends.
func TestAWaitForAnotherRunIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	done := filepath.Join(t.TempDir(), "done")
	other := r.atCommit(t, "while ! [ -e '"+done+"' ]; do sleep 0.05; done", "--debug")
	var log safeBuffer
	other.Stdout, other.Stderr = &log, &log
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the other run", func() bool { return strings.Contains(log.String(), "stored the new key") })
	x := onTerminal(t, command(t, "push", "--config="+r.config, "--lock-wait=1m"))
	x.says("another run is at work on this tenant: waiting up to 1m0s for it to end (--lock-wait)\n")
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.end().expect(t, 0, "kept ")
	_ = other.Wait()
	r.ended(t, r.old)
}

// safeBuffer is a buffer that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// However many tenants there are, the message after Ctrl-C fits on a screen.
func TestCtrlCOnAnArrayIsShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		hangs func(*fleet) // the part that does not answer
		says  string       // before Ctrl-C
		after string
	}{
		{"while the tenants are checked", func(f *fleet) {
			for _, s := range f.tenants[7:] {
				s.web.Misbehave(peertest.Hang)
			}
		}, "checked 6/13", "not renewed 7 tenants\n  error: stopped before anything was changed: interrupted by SIGINT"},
		{"while peers are pushed to", func(f *fleet) { f.outsiders[0].Misbehave(peertest.Hang) }, "pushed by database 14/14", "pending 13 links: interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFleet(t, fleetOptions{tenants: 14, outsiders: 1})
			c.hangs(f)
			x := onTerminal(t, command(t, "--config="+f.config, "--all", "--timeout=1m"))
			x.says(c.says)
			x.types(ctrlC)
			r := x.end()
			r.stdout = strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(r.stdout)
			r.expect(t, 130, c.after, "hint: ")
			if lines := strings.Count(r.stdout, "\n"); lines > 20 {
				t.Errorf("%d lines:\n%s", lines, r.stdout)
			}
		})
	}
}

// --debug says what is done, how long it takes, and in which unit.
func TestTheDebugLogSaysWhatIsDone(t *testing.T) {
	t.Parallel()
	own, _, _ := threeSites(t)
	r := renewIt(t, own, "--debug", "--pre-hook=true", "--post-hook=true")
	r.expect(t, 0, "database: took the lock", "database: read settings, key pair, key history, local host row and peers", "database: stored key pair, key history and local host row in one transaction",
		"cached configuration dropped", "a hook has ended", "hook=pre-hook", "hook=post-hook", "exchange")
	for line := range strings.Lines(r.stderr) {
		if _, took, timed := strings.Cut(line, "took="); timed && !strings.Contains(strings.Fields(took)[0], "s") {
			t.Errorf("no unit: %s", line)
		}
	}
}

// An empty shard has no key to ask about: the command ends as every other one.
func TestARollbackOfAnEmptyShardAsksNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	empty := 0
	for _, shard := range []string{"--shard=0/2", "--shard=1/2"} {
		status := f.command(t, "status", "--all", shard, "--json")
		if len(status.document(t).Tenants) > 0 {
			continue
		}
		empty++
		x := onTerminal(t, command(t, "rollback", "--config="+f.config, "--all", shard))
		_, _ = x.master.WriteString(ctrlD) // ends a question, if there is one
		x.end().expect(t, 0)
		if text := x.text(); strings.Contains(text, "[y/N]") || !strings.Contains(text, "0 tenants") {
			t.Errorf("%s", text)
		}
	}
	if empty != 1 {
		t.Errorf("%d shards are empty", empty)
	}
}
