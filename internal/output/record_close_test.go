package output

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// brokenRecord is a record that fails.
type brokenRecord struct{ told *[]int }

func (brokenRecord) Add(rotate.TenantReport) {}

func (b brokenRecord) Finish(code int) error {
	*b.told = append(*b.told, code)
	return errors.New("no space left on device")
}

func TestARecordThatFailsTurnsNoFailureIntoAnother(t *testing.T) {
	for code, want := range map[int]int{0: 3, 1: 1, 3: 3, 4: 4, 5: 5, 130: 130} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			var told []int
			var stderr strings.Builder
			out := &Printer{Stderr: &stderr, Sinks: sinks{brokenRecord{&told}, brokenRecord{&told}}}
			if got := out.Close(code); got != want || !slices.Equal(told, []int{code, want}) {
				t.Errorf("exit code %d, want %d; the record got %v", got, want, told)
			}
			if out.Close(want) != want || len(told) != 2 || strings.Count(stderr.String(), "error: no space left on device\n") != 2 {
				t.Errorf("it was not once for each: %s", stderr.String())
			}
		})
	}
}

func TestACheckWhoseRecordFailsIsUnknown(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		left time.Duration
		code int
		says string
	}{
		"that was OK":      {20 * 24 * time.Hour, 3, "MNET UNKNOWN - no space left on device |"},
		"that was WARNING": {5 * 24 * time.Hour, 3, "MNET UNKNOWN - no space left on device; https://t.example: the key expires in 5 days |"},
		"but not CRITICAL": {24 * time.Hour, 2, "MNET CRITICAL - https://t.example: the key expires in 24 hours; no space left on device |"},
	} {
		t.Run(name, func(t *testing.T) {
			var told []int
			var stdout strings.Builder
			out := &Printer{Options: cmdline.Options{Command: "check", Warning: 7 * 24 * time.Hour, Critical: 48 * time.Hour}, Started: now, stdout: &Results{W: &stdout}, Sinks: sinks{brokenRecord{&told}}}
			report := rotate.TenantReport{Wwwroot: "https://t.example", Outcome: rotate.Kept, SelfCheck: rotate.SelfProven, Certificate: &rotate.KeyReport{NotAfter: now.Add(c.left)}}
			if code := out.Print(report, 0); code != c.code || !strings.HasPrefix(stdout.String(), c.says) {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, stdout.String())
			}
		})
	}
}
