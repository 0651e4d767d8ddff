package output

import (
	"errors"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

func TestAPhaseLastsFromTheEndOfTheOneBefore(t *testing.T) {
	var stdout strings.Builder
	out := NewArray(&Printer{Options: cmdline.Options{Command: "renew"}, stdout: &Results{W: &stdout}})
	out.Begin(3, 4)
	out.phaseStarted = out.phaseStarted.Add(-time.Hour) // how long the only canary took
	out.Phase("canary", 1, 1, 0)
	out.Phase("renew", 1, 2, 0)
	out.Phase("renew", 2, 2, 1)
	for _, line := range []string{"3 tenants to renew, in an array of 4 sites\n", "renewed first 1/1 (1h0m", "renewed 2/2, 1 failed (0s)\n"} {
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("nothing says %q:\n%s", line, stdout.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAJSONDocumentThatCannotBeWrittenIsAnError(t *testing.T) {
	var stderr strings.Builder
	told := new(int)
	out := NewArray(&Printer{Options: cmdline.Options{JSON: true}, stdout: &Results{W: fullDisk{}}, Stderr: &stderr, Sinks: sinks{exitCodeRecord{told}}})
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t.example"})
	if code := out.Finish(rotate.ExitOK, nil); code != rotate.ExitPeers || *told != code {
		t.Errorf("exit code %d, a record got %d", code, *told)
	}
	if strings.Count(stderr.String(), "error: the result could not be written: no space left on device") != 1 {
		t.Errorf("it says %q", stderr.String())
	}
}

// exitCodeRecord keeps the exit code that it receives.
type exitCodeRecord struct{ code *int }

func (exitCodeRecord) Add(rotate.TenantReport) {}
func (r exitCodeRecord) Finish(code int) error { *r.code = code; return nil }

// A command without a tenant is one for the master.
func TestAnArraysNextStepsOfLinksAreCompleteCommands(t *testing.T) {
	refused := rotate.PeerReport{Wwwroot: "https://p.example", Outcome: rotate.Refused, Reason: rotate.ReasonCannotOpen}
	alone := rotate.PeerReport{Wwwroot: "https://q.example", Outcome: rotate.Refused, Reason: rotate.ReasonFault710}
	var stdout strings.Builder
	out := NewArray(&Printer{Options: cmdline.Options{Command: cmdline.Verify, All: true}, stdout: &Results{W: &stdout}, Site: Site{Config: "/c.php"}})
	out.Begin(2, 2)
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t0.example", Peers: []rotate.PeerReport{refused, alone}})
	out.Tenant(rotate.TenantReport{Wwwroot: "https://t1.example", Peers: []rotate.PeerReport{refused}})
	out.Finish(rotate.ExitPeers, nil)
	for _, want := range []string{"run: renew_mnetkeys push --config=/c.php --all\n", "run: curl https://t0.example/mnet/publickey.php\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, stdout.String())
		}
	}
}

func TestAnArraySaysWhyKeysWereKept(t *testing.T) {
	for _, c := range []struct {
		o    cmdline.Options
		due  bool
		want string
	}{
		{cmdline.Options{Command: "renew", All: true}, false, "1 kept because younger than --fresh"},
		{cmdline.Options{Command: "renew", All: true, DryRun: true}, false, "1 younger than --fresh"},
		{cmdline.Options{Command: "renew", All: true}, true, "1 not due"},
	} {
		var stdout strings.Builder
		c.o.Due.OnlyIfDue = c.due
		out := NewArray(&Printer{Options: c.o, stdout: &Results{W: &stdout}})
		out.Begin(3, 3)
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t0.example", Outcome: rotate.Kept, NotDue: true})
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t1.example", Outcome: rotate.Undone, NotDue: true}) // later
		out.Tenant(rotate.TenantReport{Wwwroot: "https://t2.example", Outcome: rotate.Renewed})
		out.Finish(rotate.ExitOK, nil)
		if !strings.Contains(stdout.String(), c.want) || !strings.Contains(stdout.String(), "1 undone") || strings.Contains(stdout.String(), "1 kept,") {
			t.Errorf("want %q in\n%s", c.want, stdout.String())
		}
	}
}
