package run

import (
	"testing"

	"renew_mnetkeys/internal/cmdline"
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
