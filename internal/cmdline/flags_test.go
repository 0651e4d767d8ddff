package cmdline

import (
	"slices"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func TestDurationsAreWrittenAsTheContractSays(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		back string
	}{
		{"90s", 90 * time.Second, "1m30s"},
		{"15s", 15 * time.Second, "15s"},
		{"36h", 36 * time.Hour, "36h"},
		{"7d", 7 * 24 * time.Hour, "7d"},
		{"10m", 10 * time.Minute, "10m"},
		{"1h30m", 90 * time.Minute, "1h30m"},
	} {
		var d durationValue
		if err := d.Set(c.text); err != nil || time.Duration(d) != c.want || d.String() != c.back {
			t.Errorf("%s: %v, written back as %s (%v)", c.text, time.Duration(d), d.String(), err)
		}
	}
	for _, bad := range []string{"", "7", "d", "-1s", "1w", "1.5d", "99999999d"} {
		if err := new(durationValue).Set(bad); err == nil {
			t.Errorf("%q was taken for a duration", bad)
		}
	}
}

func TestEveryOptionOfTheContractIsThere(t *testing.T) {
	var names []string
	for _, f := range flagsOf("renew") {
		names = append(names, f.Names()[0])
		if env := f.(cli.DocGenerationFlag).GetEnvVars(); len(env) != 1 {
			t.Errorf("--%s has the environment variables %v", f.Names()[0], env)
		}
	}
	for _, want := range []string{"host", "newkey", "bindhost", "debug", "config", "dry-run", "json", "log-format", "timeout", "concurrency",
		"retries", "deadline", "lock-wait", "days", "key-bits", "self-check", "tls-skip-verify", "ca-file", "quiet"} {
		if !slices.Contains(names, want) {
			t.Errorf("--%s is missing", want)
		}
	}
}

func TestHooksAreForWhatChangesSomething(t *testing.T) {
	for _, cmd := range Commands {
		if takes := slices.ContainsFunc(optionTable(), func(o option) bool { return o.flag.Names()[0] == "cache-hook" && o.takes(cmd.Name) }); takes != cmd.Changes {
			t.Errorf("%s: %v", cmd.Name, takes)
		}
	}
}
