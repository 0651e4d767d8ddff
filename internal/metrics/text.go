package metrics

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The metrics. Alerts and dashboards of users depend on their names: they must not change.
const (
	lastRun       = "renew_mnetkeys_last_run_timestamp_seconds"
	duration      = "renew_mnetkeys_last_run_duration_seconds"
	exitCode      = "renew_mnetkeys_last_run_exit_code"
	lastSuccess   = "renew_mnetkeys_last_success_timestamp_seconds"
	notAfter      = "renew_mnetkeys_certificate_not_after_timestamp_seconds"
	tenantSuccess = "renew_mnetkeys_tenant_last_success_timestamp_seconds"
	localSite     = "renew_mnetkeys_local_site_proven"
	nodeProven    = "renew_mnetkeys_web_server_proven"
	tenantOutcome = "renew_mnetkeys_tenant_outcome"
	peers         = "renew_mnetkeys_peers"
)

// family is a metric in Prometheus' text format: all are gauges, since a run starts from nothing.
type family struct {
	name, help string
	samples    []sample
}

type sample struct {
	labels []string // name, value, name, value…
	value  float64
}

// add adds a sample for each value of one more label.
func (f *family) add(labels []string, name string, values map[string]float64) {
	for _, value := range slices.Sorted(maps.Keys(values)) {
		f.samples = append(f.samples, sample{append(slices.Clip(labels), name, value), values[value]})
	}
}

// write leaves errors to the flush of w.
func (f family) write(w *bufio.Writer) {
	if len(f.samples) == 0 {
		return
	}
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", f.name, f.help, f.name)
	for _, s := range f.samples {
		fmt.Fprintf(w, "%s{", f.name)
		for i := 0; i < len(s.labels); i += 2 {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			fmt.Fprintf(w, `%s="%s"`, s.labels[i], escaped.Replace(text(s.labels[i+1])))
		}
		fmt.Fprintf(w, "} %s\n", strconv.FormatFloat(s.value, 'f', -1, 64))
	}
}

// escaped escapes a label's value; a Replacer is safe for concurrent use and is not changed.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// text is s as the format allows it: the collector refuses a whole file for one byte that is not
// UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
