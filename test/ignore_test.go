package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/rotate"
)

// A peer that is known to be gone does not make a cron job print anything, wherever it is named.
func TestAPeerThatIsGoneDoesNotCount(t *testing.T) {
	t.Parallel()
	own, gone, _ := threeSites(t)
	gone.Stop()
	glob := "http://*" + strings.TrimPrefix(gone.Wwwroot, "http://127.0.0.1")
	file := place(t, t.TempDir(), "options.conf", "ignore-peer = http://nothing.example\nignore-peer = "+glob+"\n")

	renewIt(t, own, "--retries=0").expect(t, 3, "1 of 2 peers proven, 1 pending")
	renewIt(t, own, "--retries=0", "--dry-run", "--ignore-peer="+glob).expect(t, 0, "ignored   "+gone.Wwwroot, "1 of 1 peer can be reached, 1 ignored")
	for range 3 {
		renewIt(t, own, "--retries=0").expect(t, 3)
	}
	if n := len(historyOf(t, own)); n != 4 {
		t.Fatalf("the history has %d pairs: it should wait for the peer", n)
	}
	t.Run("by the file of options", func(t *testing.T) {
		r := renewIt(t, own, "--retries=0", "--json", "--options="+file)
		r.expect(t, 0)
		if p := r.document(t).peer(t, gone.Wwwroot); p.Outcome != rotate.Ignored || p.Reason != "connect" || p.Attempts != 1 || p.Next != "" {
			t.Errorf("%+v", p)
		}
		if n := len(historyOf(t, own)); n != 3 {
			t.Errorf("the history has %d pairs", n)
		}
	})
	t.Run("by the variable, in silence", func(t *testing.T) {
		cmd := command(t, "--config="+own.ConfigFile, "--if-due", "--retries=0")
		cmd.Env = append(cmd.Env, "MNETKEYS_IGNORE_PEER="+glob)
		if r := run1(t, cmd); r.code != 0 || r.stdout+r.stderr != "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("by the option, with every command", func(t *testing.T) {
		metrics, page := filepath.Join(t.TempDir(), "mnet.prom"), filepath.Join(t.TempDir(), "mnet.html")
		operate(t, own.ConfigFile, "verify", []string{"--retries=0", "--ignore-peer=" + glob, "--prometheus-file=" + metrics, "--report=" + page}, own).
			expect(t, 0, "1 of 1 peer proven, 1 ignored")
		for file, says := range map[string]string{metrics: `outcome="ignored"} 1`, page: "ignored"} {
			if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), says) {
				t.Errorf("%s: %v\n%s", file, err, text)
			}
		}
		operate(t, own.ConfigFile, "push", []string{"--retries=0", "--ignore-peer=" + glob}, own).expect(t, 0, "1 of 1 peer proven, 1 ignored")
		operate(t, own.ConfigFile, "check", []string{"--retries=0", "--ignore-peer=" + glob}, own).expect(t, 0, "MNET OK - ", "1 of 1 peer proven")
		operate(t, own.ConfigFile, "doctor", []string{"--verbose", "--retries=0", "--ignore-peer=" + glob}, own).expect(t, 0, "nothing to do: --ignore-peer names this peer")
		operate(t, own.ConfigFile, "push", []string{"--retries=0", "--ignore-peer=http://nothing.example"}, own).
			expect(t, 3, "warning: --ignore-peer=http://nothing.example matches no peer")
	})
	t.Run("when it is back it is proven", func(t *testing.T) {
		gone.Start(t)
		operate(t, own.ConfigFile, "push", []string{"--ignore-peer=" + glob}, own).expect(t, 0, "2 of 2 peers proven")
	})
}

func place(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
