package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"renew_mnetkeys/rotate"
)

// records are the page and the metrics that runs write.
type records struct{ dir, page, metrics string }

func newRecords(t testing.TB) records {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kept")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return records{dir, filepath.Join(dir, "mnet.html"), filepath.Join(dir, "mnet.prom")}
}

// args are the options for a command that takes them, as its --help says.
func (k records) args(t testing.TB, word string) (args []string) {
	t.Helper()
	help := run1(t, command(t, strings.Fields(strings.TrimPrefix(word, "renew")+" --help")...)).stdout
	for name, file := range map[string]string{"report": k.page, "prometheus-file": k.metrics} {
		if strings.Contains(help, " --"+name+"=") {
			args = append(args, "--"+name+"="+file)
		}
	}
	return args
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric returns the samples of a metric by the value of a label.
func (k records) metric(t testing.TB, name, label string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(read(t, k.metrics)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, read(t, k.metrics))
	}
	values := map[string]float64{}
	for _, m := range families["renew_mnetkeys_"+name].GetMetric() {
		for _, l := range m.Label {
			if l.GetName() == label {
				values[l.GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

// files are the files in the directory.
func (k records) files(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprint(e.Name(), " ", info.Mode()))
	}
	return names
}

func TestEveryCommandWritesItsPageAndMetrics(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1})
	more := map[string][]string{"renew": {"--abandon-pending"}, "rollback": {"--yes"}}
	for _, cmd := range allCommands(t) {
		for which, tenants := range map[string][]*fleetTenant{"--host=" + f.tenants[1].Wwwroot: f.tenants[1:2], "--all": f.tenants[1:]} {
			t.Run(cmd+" "+which, func(t *testing.T) {
				if !changes(cmd) {
					t.Parallel()
				}
				kept := newRecords(t)
				before := f.secrets(t)
				r := f.command(t, cmd, slices.Concat([]string{which}, kept.args(t, cmd), more[cmd])...)
				want := []string{"mnet.html -rw-r--r--"}
				page := read(t, kept.page)
				for _, s := range tenants {
					if !strings.HasPrefix(page, "<!doctype html>") || !strings.HasSuffix(page, "</html>\n") || !strings.Contains(page, s.Wwwroot) {
						t.Errorf("no page about %s: %d bytes", s.Wwwroot, len(page))
					}
				}
				texts := page
				if slices.ContainsFunc(kept.args(t, cmd), func(arg string) bool { return strings.HasPrefix(arg, "--prometheus-file") }) {
					want, texts = append(want, "mnet.prom -rw-r--r--"), texts+read(t, kept.metrics)
					if got := kept.metric(t, "last_run_exit_code", "command"); len(got) != 1 || got[cmd] != float64(r.code) {
						t.Errorf("exit code %v, want that of %s: %d", got, cmd, r.code)
					}
					if got := kept.metric(t, "certificate_not_after_timestamp_seconds", "wwwroot"); len(got) != len(tenants) || got[tenants[0].Wwwroot] == 0 {
						t.Errorf("expiries %v", got)
					}
				}
				ran{stdout: texts}.revealsNothing(t, before, f.secrets(t))
				if got := kept.files(t); !slices.Equal(got, want) {
					t.Errorf("%q were written, want %q", got, want)
				}
			})
		}
	}
}

func TestADryRunWritesAPageAndNoMetrics(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	kept := newRecords(t)
	f.renew(t, append(kept.args(t, "renew"), "--all", "--dry-run")...).expect(t, 0)
	if got := kept.files(t); !slices.Equal(got, []string{"mnet.html -rw-r--r--"}) {
		t.Errorf("%q were written", got)
	}
}

func TestARunThatComesToNoTenantIsRecorded(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	kept := newRecords(t)
	for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
		f.command(t, "push", append(kept.args(t, "push"), which)...).expect(t, 0)
		expiry := kept.metric(t, "certificate_not_after_timestamp_seconds", "wwwroot")
		run1(t, command(t, append([]string{"push", which, "--config=missing/config.php"}, kept.args(t, "push")...)...)).expect(t, 2)
		if !strings.Contains(read(t, kept.page), "missing/config.php") {
			t.Errorf("%s: the page does not say why", which)
		}
		after := kept.metric(t, "certificate_not_after_timestamp_seconds", "wwwroot")
		if code := kept.metric(t, "last_run_exit_code", "command")["push"]; code != 2 || len(after) != 1 || after[f.tenants[1].Wwwroot] != expiry[f.tenants[1].Wwwroot] {
			t.Errorf("%s: exit code %v, expiries %v, were %v", which, code, after, expiry)
		}
	}
}

func TestWhatCannotBeWrittenIsFoundBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	before := f.state(t)
	dir := t.TempDir()
	link := filepath.Join(dir, "link.html")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	hook := newRecorder(t, "")
	for name, c := range map[string]struct{ option, says string }{
		"a page in a directory that is not there":  {"--report=" + filepath.Join(dir, "none", "mnet.html"), "error: --report: "},
		"a page that is a directory":               {"--report=" + dir, "error: --report: "},
		"a page that is somebody's link":           {"--report=" + link, "error: --report: "},
		"a page in what is no directory":           {"--report=" + filepath.Join(link, "mnet.html"), "error: --report: "},
		"metrics in a directory that is not there": {"--prometheus-file=" + filepath.Join(dir, "none", "mnet.prom"), "error: --prometheus-file: "},
		"metrics that nobody collects":             {"--prometheus-file=" + filepath.Join(dir, "mnet.txt"), "error: --prometheus-file: "},
	} {
		t.Run(name, func(t *testing.T) {
			f.renew(t, "--all", c.option, "--pre-hook", hook.line).expect(t, rotate.ExitUsage, c.says)
			f.command(t, "check", "--all", c.option).expect(t, 3, "MNET UNKNOWN - "+strings.TrimPrefix(c.says, "error: "))
		})
	}
	if f.state(t) != before || len(hook.runs(t)) > 0 {
		t.Error("something was done")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v was left, error %v", entries, err)
	}
}

// Metrics that alerts compare must exist after the first run, even if that run could read nothing.
func TestMetricsBeginWithARunThatCannotReachTheDatabase(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2})
	down := f.tenants[1]
	f.says(t, down.Site, "vdbhost = '127.0.0.1:1'")
	for name, c := range map[string]struct {
		args    []string
		wwwroot string
	}{
		"of config.php's own site": {[]string{"--cfg", "dbhost=127.0.0.1", "--cfg", "dboptions.dbport=1"}, f.tenants[0].Wwwroot},
		"of a tenant":              {[]string{"--host=" + down.Wwwroot}, down.Wwwroot},
		"of a tenant of the array": {[]string{"--all"}, down.Wwwroot},
		"of the whole array":       {[]string{"--all", "--cfg", "dbhost=127.0.0.1", "--cfg", "dboptions.dbport=1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			kept := newRecords(t)
			r := f.renew(t, append(c.args, "--prometheus-file="+kept.metrics)...)
			if r.code != rotate.ExitNotRenewed {
				t.Errorf("exit code %d: %s", r.code, r.stderr)
			}
			for _, series := range []string{"last_run_timestamp_seconds", "last_run_exit_code", "last_success_timestamp_seconds"} {
				if got, there := kept.metric(t, series, "command")["renew"]; !there || (series == "last_success_timestamp_seconds") != (got == 0) {
					t.Errorf("%s: %v, %v", series, got, there)
				}
			}
			for _, series := range []string{"local_site_proven", "tenant_last_success_timestamp_seconds", "peers"} {
				if got, there := kept.metric(t, series, "wwwroot")[c.wwwroot]; there != (c.wwwroot != "") || got != 0 {
					t.Errorf("%s: %v, %v", series, got, there)
				}
			}
		})
	}
}

func TestARecordThatCannotBeWrittenInTheEndShows(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
		kept := newRecords(t)
		args := append(kept.args(t, "renew"), which, "--fresh=0s", "--json")
		if which != "--all" {
			args = slices.DeleteFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--fresh") })
		}
		f.renew(t, args...).expect(t, 0)
		page, metrics, pair := read(t, kept.page), read(t, kept.metrics), pairOf(t, f.tenants[1].Site)

		post := newRecorder(t, "")
		r := f.renew(t, append(args, fmt.Sprintf("--pre-hook=mv '%s' '%s.gone'", kept.dir, kept.dir), "--post-hook", post.line)...)
		r.expect(t, 3, "error: the page ", "error: metrics file ")
		if d := r.document(t); d.Tenants[0].Outcome != rotate.Renewed || d.Tenants[0].Unproven() > 0 || pairOf(t, f.tenants[1].Site) == pair {
			t.Errorf("%s: %+v", which, d)
		}
		if code := post.once(t).env["MNET_EXIT_CODE"]; code != "3" {
			t.Errorf("%s: the post-hook was told exit code %s", which, code)
		}
		gone := records{kept.dir + ".gone", filepath.Join(kept.dir+".gone", "mnet.html"), filepath.Join(kept.dir+".gone", "mnet.prom")}
		if read(t, gone.page) != page || read(t, gone.metrics) != metrics || len(gone.files(t)) != 2 {
			t.Errorf("%s: the old files have changed: %q", which, gone.files(t))
		}
	}
}
