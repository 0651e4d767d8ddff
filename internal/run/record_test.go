package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/metrics"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/rotate"
)

// What cron never works on must not stay in the metrics, where it would be an alert for ever; what
// one run leaves out by hand must not get lost from them.
func TestTheFileOfOptionsSaysWhichTenantsTheMetricsAreAbout(t *testing.T) {
	glob := rotate.Globs{"https://off.example"}
	for name, c := range map[string]struct {
		exclude rotate.Globs
		args    []string
		masters []string
		kept    int
	}{
		"all":                                {nil, nil, nil, 0},
		"all but the master":                 {nil, []string{"--all"}, []string{"https://master.example"}, 1},
		"excluded by the file of options":    {glob, []string{"--all"}, nil, 0},
		"excluded on the command line":       {glob, []string{"--exclude=" + glob[0]}, nil, 1},
		"excluded on the command line, also": {glob, []string{"--exclude", glob[0]}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			array := cmdline.ArrayOptions{Selection: rotate.Selection{Exclude: c.exclude}}
			sink := metricsSink{out: &output.Printer{Options: cmdline.Options{All: true, Array: array}, Arguments: c.args, Masters: c.masters}}
			if kept := sink.kept(); len(kept) != c.kept {
				t.Errorf("%v", kept)
			}
		})
	}
}

// A run that fails before it has read anything knows of its tenant only what --host says.
func TestAMistypedHostIsNoTenantInTheMetrics(t *testing.T) {
	const typo, known, confirmed = "https://typo.example", "https://known.example", "https://confirmed.example"
	path := filepath.Join(t.TempDir(), "mnet.prom")
	end := func(fails func(*output.Printer)) string {
		file, err := metrics.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		out := output.New(cmdline.Options{Command: "check"}, &output.Results{W: io.Discard}, io.Discard, os.Getenv)
		out.Sinks = append(out.Sinks, &metricsSink{out: out, File: file})
		fails(out)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	down := errors.New("the database is down")
	end(func(out *output.Printer) {
		out.Sinks[0].Add(rotate.TenantReport{Wwwroot: known, Outcome: rotate.Kept})
		out.Close(rotate.ExitOK)
	})
	end(func(out *output.Printer) { out.Close(out.Print(output.Failed(confirmed, 1, down), 1)) })
	for _, host := range []string{known, typo} {
		end(func(out *output.Printer) { out.Options.Host = host; out.Stop(1, errors.New("the hook failed")) })
	}
	got := end(func(out *output.Printer) {
		out.Close(runner{out: out, o: cmdline.Options{Command: "check", Host: typo, Config: []string{"/does/not/exist"}}, getenv: os.Getenv}.workOnTenant(t.Context()))
	})
	failed := func(wwwroot string) string {
		return fmt.Sprintf("renew_mnetkeys_tenant_outcome{wwwroot=%q,outcome=\"failed\"} 1", wwwroot)
	}
	if strings.Contains(got, typo) || !strings.Contains(got, failed(known)) || !strings.Contains(got, failed(confirmed)) {
		t.Errorf("wrote\n%s", got)
	}
}

// Whoever runs the tool by sudo pastes the hint as himself.
func TestAHintNamesTheWebServersUserUnlessThatIsWhoReadsIt(t *testing.T) {
	const root, www, me = 0, 33, 1000
	for _, c := range []struct {
		owner, user int
		sudo, want  bool
	}{
		{www, www, false, false}, {www, www, true, true}, {www, me, false, true}, {www, root, false, true}, {root, root, true, false}, {root, me, false, false},
	} {
		if got := mustBecome(c.owner, c.user, c.sudo); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// "everything is fine" is not what a run says that has only read the databases.
func TestThePageOfStatusSaysWhetherLinksWereTested(t *testing.T) {
	for live, want := range map[bool]string{false: "the databases were read; no link was tested", true: "everything is fine"} {
		exits := pageCommand(cmdline.Options{Command: cmdline.Status, Live: live}).Exits
		if got := exits.Means(rotate.ExitOK); got != want {
			t.Errorf("live %v: 0 means %q", live, got)
		}
		if proven := strings.Contains(exits.Means(rotate.ExitPeers), "proven"); proven != live {
			t.Errorf("live %v: 3 means %q", live, exits.Means(rotate.ExitPeers))
		}
	}
}
