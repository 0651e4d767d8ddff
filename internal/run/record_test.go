package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/metrics"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/rotate"
)

// What cron never works on must not stay in the metrics, where it would be an alert for ever; what
// one run leaves out by hand must not get lost from them.
func TestTheFileOfOptionsSaysWhichTenantsTheMetricsAreAbout(t *testing.T) {
	glob := rotate.Globs{"https://off.example"}
	for name, c := range map[string]struct {
		exclude rotate.Globs
		args    []string
		kept    int
	}{
		"all":                                {nil, nil, 0},
		"excluded by the file of options":    {glob, []string{"--all"}, 0},
		"excluded on the command line":       {glob, []string{"--exclude=" + glob[0]}, 1},
		"excluded on the command line, also": {glob, []string{"--exclude", glob[0]}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			array := cmdline.ArrayOptions{Selection: rotate.Selection{Exclude: c.exclude}}
			sink := metricsSink{out: &output.Printer{Options: cmdline.Options{All: true, Array: array}, Arguments: c.args}}
			if kept := sink.kept(); len(kept) != c.kept {
				t.Errorf("%v", kept)
			}
		})
	}
}

func TestAMistypedHostIsNoTenantInTheMetrics(t *testing.T) {
	const typo, tenant = "https://typo.example", "https://tenant.example"
	path := filepath.Join(t.TempDir(), "mnet.prom")
	file, err := metrics.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	sink := metricsSink{out: &output.Printer{Options: cmdline.Options{Command: "check"}}, File: file}
	for host, cause := range map[string]error{typo: &moodledb.UnknownTenantError{Host: typo}, tenant: errors.New("the database is down")} {
		sink.Add(output.Failed(host, 1, fmt.Errorf("find the tenant: %w", cause)))
	}
	if err := sink.Finish(1); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), typo) || !strings.Contains(string(text), tenant) {
		t.Errorf("error %v, wrote\n%s", err, text)
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
