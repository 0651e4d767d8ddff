package cmdline

import (
	"slices"
	"testing"
	"time"
)

func TestDurationsAreWrittenAsTheContractSays(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"90s", 90 * time.Second},
		{"15s", 15 * time.Second},
		{"36h", 36 * time.Hour},
		{"7d", 7 * 24 * time.Hour},
		{"10m", 10 * time.Minute},
		{"1h30m", 90 * time.Minute},
	} {
		if d, err := parseDuration(c.text); err != nil || d != c.want {
			t.Errorf("%s: %v (%v)", c.text, d, err)
		}
	}
	for _, bad := range []string{"", "7", "d", "-1s", "1w", "1.5d", "99999999d"} {
		if _, err := parseDuration(bad); err == nil {
			t.Errorf("%q was taken for a duration", bad)
		}
	}
}

func TestEveryOptionOfTheContractIsThere(t *testing.T) {
	var names []string
	for _, s := range settingsOf("renew") {
		names = append(names, s.name)
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
		if takes := optionNamed("cache-hook").takenBy(cmd.Name); takes != cmd.Changes {
			t.Errorf("%s: %v", cmd.Name, takes)
		}
	}
}
