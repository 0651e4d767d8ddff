package metrics

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"renew_mnetkeys/rotate"
)

// day is noon of a day of the tests.
func day(n int) time.Time { return time.Date(2030, 1, n, 12, 0, 0, 0, time.UTC) }

func run(n, code int) Run {
	return Run{Command: "renew", Started: day(n), Took: 1500 * time.Millisecond, ExitCode: code, Whole: true}
}

func report(wwwroot string, expires int, outcomes ...rotate.PeerOutcome) rotate.TenantReport {
	r := rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Kept, SelfCheck: rotate.SelfProven, Certificate: &rotate.KeyReport{NotAfter: day(expires)}}
	for _, o := range outcomes {
		r.Peers = append(r.Peers, rotate.PeerReport{Outcome: o})
	}
	return r
}

// failed is the report of a tenant whose database could not be read.
func failed(wwwroot string) rotate.TenantReport {
	return rotate.TenantReport{Wwwroot: wwwroot, Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped, Exit: rotate.ExitNotRenewed}
}

func write(t *testing.T, path string, r Run, reports ...rotate.TenantReport) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range reports {
		f.Add(report)
	}
	if err := f.Write(r); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// parse reads a text as the collector does.
func parse(t *testing.T, content string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(content))
	if err != nil {
		t.Fatalf("%v in\n%s", err, content)
	}
	for name, f := range families {
		seen := map[string]bool{}
		for _, m := range f.Metric {
			if key := cmp.Diff(nil, m.Label); seen[key] || m.TimestampMs != nil {
				t.Errorf("%s %v twice, or with a time stamp", name, m.Label)
			} else {
				seen[key] = true
			}
		}
	}
	return families
}

// values are the samples of a metric, by the value of a label.
func values(t *testing.T, path, metric, label string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, m := range parse(t, read(t, path))[metric].GetMetric() {
		for _, l := range m.Label {
			if l.GetName() == label {
				found[l.GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return found
}

func TestFileIsWrittenByPrometheusRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	undone := rotate.TenantReport{Wwwroot: "https://a.example", Outcome: rotate.Undone, Exit: rotate.ExitNotRenewed}
	write(t, path, run(1, 1), undone, report("https://b.example", 20, rotate.Accepted, rotate.Healed, rotate.Accepted, rotate.Skipped, ""))
	want := `# HELP renew_mnetkeys_last_run_timestamp_seconds When the last run of the command ended.
# TYPE renew_mnetkeys_last_run_timestamp_seconds gauge
renew_mnetkeys_last_run_timestamp_seconds{command="renew",file="mnet.prom"} 1893499201.5
# HELP renew_mnetkeys_last_run_duration_seconds How long the last run of the command took.
# TYPE renew_mnetkeys_last_run_duration_seconds gauge
renew_mnetkeys_last_run_duration_seconds{command="renew",file="mnet.prom"} 1.5
# HELP renew_mnetkeys_last_run_exit_code Exit code of the last run of the command.
# TYPE renew_mnetkeys_last_run_exit_code gauge
renew_mnetkeys_last_run_exit_code{command="renew",file="mnet.prom"} 1
# HELP renew_mnetkeys_last_success_timestamp_seconds When the last run of the command that ended with exit code 0 ended, 0 if none has.
# TYPE renew_mnetkeys_last_success_timestamp_seconds gauge
renew_mnetkeys_last_success_timestamp_seconds{command="renew",file="mnet.prom"} 0
# HELP renew_mnetkeys_certificate_not_after_timestamp_seconds When the tenant's MNet certificate expires.
# TYPE renew_mnetkeys_certificate_not_after_timestamp_seconds gauge
renew_mnetkeys_certificate_not_after_timestamp_seconds{wwwroot="https://b.example"} 1895140800
# HELP renew_mnetkeys_tenant_last_success_timestamp_seconds When the last run ended in which all was well with the tenant, 0 if none has.
# TYPE renew_mnetkeys_tenant_last_success_timestamp_seconds gauge
renew_mnetkeys_tenant_last_success_timestamp_seconds{wwwroot="https://a.example"} 0
renew_mnetkeys_tenant_last_success_timestamp_seconds{wwwroot="https://b.example"} 1893499201.5
# HELP renew_mnetkeys_local_site_proven Whether the tenant's local site was proven to use the stored key in the last run that looked at it: 1 or 0.
# TYPE renew_mnetkeys_local_site_proven gauge
renew_mnetkeys_local_site_proven{wwwroot="https://a.example"} 0
renew_mnetkeys_local_site_proven{wwwroot="https://b.example"} 1
# HELP renew_mnetkeys_tenant_outcome What became of the tenant in the last run that looked at it: 1 for its outcome.
# TYPE renew_mnetkeys_tenant_outcome gauge
renew_mnetkeys_tenant_outcome{wwwroot="https://a.example",outcome="failed"} 0
renew_mnetkeys_tenant_outcome{wwwroot="https://a.example",outcome="kept"} 0
renew_mnetkeys_tenant_outcome{wwwroot="https://a.example",outcome="renewed"} 0
renew_mnetkeys_tenant_outcome{wwwroot="https://a.example",outcome="undone"} 1
renew_mnetkeys_tenant_outcome{wwwroot="https://b.example",outcome="failed"} 0
renew_mnetkeys_tenant_outcome{wwwroot="https://b.example",outcome="kept"} 1
renew_mnetkeys_tenant_outcome{wwwroot="https://b.example",outcome="renewed"} 0
renew_mnetkeys_tenant_outcome{wwwroot="https://b.example",outcome="undone"} 0
# HELP renew_mnetkeys_peers The tenant's MNet peers by what became of them in the last run that looked at them.
# TYPE renew_mnetkeys_peers gauge
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="accepted"} 0
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="healed"} 0
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="ignored"} 0
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="pending"} 0
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="refused"} 0
renew_mnetkeys_peers{wwwroot="https://a.example",outcome="skipped"} 0
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="accepted"} 2
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="healed"} 1
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="ignored"} 0
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="pending"} 0
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="refused"} 0
renew_mnetkeys_peers{wwwroot="https://b.example",outcome="skipped"} 1
`
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Error(diff)
	}
	parse(t, read(t, path))
}

func TestPromtoolsLinterHasNothingToSay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnet.prom")
	for _, code := range []int{0, 1} {
		write(t, path, run(1, code), report("https://a.example", 20, rotate.Refused), failed("https://b.example"))
		problems, err := promlint.New(strings.NewReader(read(t, path))).Lint()
		if len(problems) > 0 || err != nil {
			t.Errorf("%v, error %v", problems, err)
		}
		if n := len(parse(t, read(t, path))); n != 9 {
			t.Errorf("%d metrics were linted", n)
		}
	}
	// The linter does find a problem if there is one.
	if problems, err := promlint.New(strings.NewReader("renew_mnetkeys_took_minutes 1\n")).Lint(); len(problems) == 0 || err != nil {
		t.Errorf("no problems, error %v", err)
	}
}

func TestAWebServerThatIsNotProvenIsNamedUntilItIsAskedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "job.prom")
	asked := report("https://a.example", 20)
	asked.Nodes = []rotate.NodeReport{{Address: "web1:80", SelfCheck: rotate.SelfProven}, {Address: "web2", SelfCheck: rotate.SelfUnreachable}}
	write(t, path, run(1, 3), asked)
	write(t, path, run(2, 1), failed("https://a.example")) // asks nobody
	for _, line := range []string{`renew_mnetkeys_web_server_proven{wwwroot="https://a.example",address="web1:80"} 1`,
		`renew_mnetkeys_web_server_proven{wwwroot="https://a.example",address="web2"} 0`} {
		if !strings.Contains(read(t, path), line+"\n") {
			t.Errorf("the file lacks %s:\n%s", line, read(t, path))
		}
	}
	asked.Nodes[1] = rotate.NodeReport{Address: "web2", SelfCheck: rotate.SelfSkipped} // left out
	write(t, path, run(3, 0), asked)
	if strings.Contains(read(t, path), "web2") {
		t.Error("a web server that is asked no more still has a series")
	}
}

func TestFileIsTheSameWhateverTheOrder(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "mnet.prom"), filepath.Join(t.TempDir(), "mnet.prom")
	a, b, c := report("https://a.example", 20, rotate.Healed, rotate.Pending), report("https://b.example", 21), failed("https://c.example")
	write(t, one, run(1, 3), a, b, c)
	write(t, two, run(1, 3), failed("https://a.example"), c, b, a)
	if diff := cmp.Diff(read(t, one), read(t, two)); diff != "" {
		t.Error(diff)
	}
}

func TestAnyWwwrootComesThrough(t *testing.T) {
	hostile := map[string]string{ // as the collector reads it
		`https://"quoted"} 1`:           `https://"quoted"} 1`,
		"https://two\nlines\\n":         "https://two\nlines\\n",
		`https://back\slash\`:           `https://back\slash\`,
		"https://x\xff\xfe":             "https://x\ufffd",
		"https://x\xc3":                 "https://x\ufffd",
		"{,=}# HELP \t\r\x00\x1b[31m":   "{,=}# HELP \t\r\x00\x1b[31m",
		"https://ümläut.example/\u202e": "https://ümläut.example/\u202e",
	}
	path := filepath.Join(t.TempDir(), "m\"\xffnet.prom")
	want := map[string]float64{}
	var reports, again []rotate.TenantReport
	for wwwroot, read := range hostile {
		reports, again = append(reports, report(wwwroot, 20)), append(again, failed(wwwroot))
		want[read] = seconds(day(20))
	}
	// The second run starts from the file that the first has written.
	for _, reports := range [][]rotate.TenantReport{reports, again} {
		write(t, path, run(1, 0), reports...)
		if diff := cmp.Diff(want, values(t, path, notAfter, "wwwroot")); diff != "" {
			t.Error(diff)
		}
		if got := values(t, path, exitCode, "file"); got["m\"\ufffdnet.prom"] != 0 || len(got) != 1 {
			t.Errorf("the file is called %v", got)
		}
	}
}
