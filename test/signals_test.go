package test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// atCommit runs the command with a cache-hook that does something between COMMIT and the removal of
// the cached key, and then drops it.
func (r *race) atCommit(t *testing.T, does string, args ...string) *exec.Cmd {
	t.Helper()
	hook := filepath.Join(t.TempDir(), "hook.sh")
	text := fmt.Sprintf("%s\nrm -rf '%s'/cache/*\n", does, r.own.Dataroot)
	if err := os.WriteFile(hook, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return command(t, append([]string{"--config=" + r.config, "--cache-hook=. '" + hook + "'"}, args...)...)
}

// hearsHangups starts commands with the default action for SIGHUP, although the tests may run under
// nohup.
func hearsHangups(t *testing.T) {
	t.Helper()
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
}

// A run that is ended between storing the key and dropping the cache goes on until the web server
// uses the key, pushes to no peer, and leaves the rest to a push.
func TestASignalAtCommitDoesNotLeaveTheCachedKey(t *testing.T) {
	hearsHangups(t)
	for name, s := range map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT, "ABRT": syscall.SIGABRT,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			end := run1(t, r.atCommit(t, "kill -"+name+" $PPID"))
			end.expect(t, 128+int(s), "interrupted by SIG"+name, "hint: no new key is needed", "run: ", "renew_mnetkeys push")
			if strings.Contains(end.stderr, "goroutine ") {
				t.Error("it prints the stacks of its goroutines")
			}
			if pairOf(t, r.own.Site) == r.old {
				t.Error("the key was not stored: the hook came too early")
			}
			coherent(t, r.own.Site)
			for _, peer := range r.peers {
				if !holds(r.old, peer.Held(t, r.own.Wwwroot)) {
					t.Errorf("%s was told after the signal", peer.Wwwroot)
				}
			}
			f := run1(t, command(t, "push", "--config="+r.config))
			f.expect(t, 0)
			r.ended(t, r.old)
		})
	}
}

// A hook that fails needs to be corrected, whether a signal came meanwhile or not.
func TestASignalWhileTheHookFailsRestoresTheOldKeyAndSaysSo(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	once := filepath.Join(t.TempDir(), "once") // a second signal would end the run at once
	end := run1(t, command(t, "--config="+r.config, "--cache-hook=mkdir '"+once+"' && kill -TERM $PPID; exit 1"))
	end.expect(t, 143, "error: interrupted by SIGTERM: the old key was restored", "hint: correct the --cache-hook: the error, or what the hook printed above it, says why it failed. Then start the same command again")
	if pairOf(t, r.own.Site) != r.old {
		t.Error("the old key was not restored")
	}
	coherent(t, r.own.Site)
	run1(t, command(t, "--config="+r.config)).expect(t, 0)
}

// The pre-hook has not failed: what ended it is named, and nothing has begun.
func TestASignalWhileThePreHookRunsSaysSo(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM} {
		for _, args := range [][]string{nil, {"push"}, {"--all"}} {
			end := run1(t, command(t, append(args, "--config=/nowhere/config.php", "--pre-hook=kill -"+name+" $PPID; sleep 60")...))
			end.expect(t, 128+int(s), "error: nothing was done: interrupted by SIG"+name+" while the pre-hook ran\nhint: ")
		}
	}
	run1(t, command(t, "--config=/nowhere/config.php", "--deadline=1s", "--pre-hook=sleep 60")).expect(t, 1,
		"error: nothing was done: the run's --deadline has passed while the pre-hook ran\nhint: give the run more time with --deadline")
}

// The second signal does not wait for a safe point.
func TestASecondSignalEndsTheRunAtOnce(t *testing.T) {
	hearsHangups(t)
	for _, name := range []string{"INT", "TERM", "QUIT", "ABRT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			end := run1(t, r.atCommit(t, "kill -TERM $PPID; sleep 2.2; kill -"+name+" $PPID; while kill -0 $PPID; do sleep 0.1; done; exit 1"))
			if end.code < 128 || strings.Contains(end.stderr, "goroutine ") {
				end.expect(t, 128+15)
			}
			if pairOf(t, r.own.Site) == r.old {
				t.Error("the key was not stored: the hook came too early")
			}
			run1(t, command(t, "--config="+r.config)).expect(t, 0)
			coherent(t, r.own.Site)
		})
	}
}

// A terminal that is closed sends SIGHUP twice, and timeout(1) sends SIGTERM: both are one request
// to end, at a safe point.
func TestASignalThatComesTwiceIsOne(t *testing.T) {
	hearsHangups(t)
	for name, c := range map[string]struct {
		kills string
		code  int
	}{
		"HUP, HUP":             {"kill -HUP $PPID; kill -HUP $PPID", 129},
		"TERM, TERM":           {"kill -TERM $PPID; kill -TERM $PPID", 143},
		"TERM, HUP much later": {"kill -TERM $PPID; sleep 2.2; kill -HUP $PPID", 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			run1(t, r.atCommit(t, c.kills)).expect(t, c.code)
			if pairOf(t, r.own.Site) == r.old {
				t.Error("the key was not stored: the hook came too early")
			}
			coherent(t, r.own.Site) // the web server uses it
		})
	}
}

// nohup(1) starts a command with SIGHUP ignored, so that it goes on.
func TestUnderNohupARunSurvivesTheTerminal(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	cmd := r.atCommit(t, "kill -HUP $PPID")
	cmd.Args = append([]string{"sh", "-c", `trap '' HUP; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	run1(t, cmd).expect(t, 0, "renewed")
	r.ended(t, r.old)
}

// The reader of the log goes away between COMMIT and the cache drop, as head(1) does.
func TestALogThatNobodyReadsDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		both bool // stdout goes the same way
		code int
	}{
		{"the log", []string{"--debug"}, false, 0},
		{"the log in JSON", []string{"--debug", "--log-format=json"}, false, 0},
		{"the log and the result", []string{"--debug"}, true, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRace(t)
			gone := filepath.Join(t.TempDir(), "gone")
			cmd := r.atCommit(t, "while ! [ -e '"+gone+"' ]; do sleep 0.05; done; echo this is logged", c.args...)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			cmd.Stderr = writer
			if c.both {
				cmd.Stdout = writer
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = writer.Close()
			lines := bufio.NewScanner(reader)
			for lines.Scan() && !strings.Contains(lines.Text(), "stored the new key") {
			}
			_ = reader.Close()
			if err := os.WriteFile(gone, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d: %v", code, c.code, cmd.ProcessState)
			}
			r.ended(t, r.old)
		})
	}
}

// After a command that only looks, the advice is not to push.
func TestWhatWritesNothingIsJustStartedAgainAfterASignal(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 1, outsiders: 1})
	f.outsiders[0].Misbehave(peertest.Hang)
	cmd := command(t, "verify", "--config="+f.config, "--timeout=60s")
	asked := f.asked()
	end := begin(t, cmd)
	waitFor(t, "it to ask the own site", func() bool { return f.asked() > asked })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r := end()
	r.expect(t, 143, "hint: nothing was changed")
	if strings.Contains(r.stderr, "push") {
		t.Error("it advises a push")
	}
}
