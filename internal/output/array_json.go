package output

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"renew_mnetkeys/rotate"
)

// jsonStream writes the document of --json tenant by tenant, in bounded memory. The exit code comes
// last, when it is known.
type jsonStream struct {
	w     *Results
	head  Document
	begun bool
}

func (j *jsonStream) write(s string) { _, _ = io.WriteString(j.w, s) }

func (j *jsonStream) begin() {
	if !j.begun {
		j.begun = true
		j.write(fmt.Sprintf("{\"version\":%d,\"command\":%q,\"dry_run\":%v,\"started\":%q,\n\"tenants\":[", j.head.Version, j.head.Command, j.head.DryRun, j.head.Started.Format(time.RFC3339)))
		return
	}
	j.write(",")
}

func (j *jsonStream) tenant(r rotate.TenantReport) {
	j.begin()
	text, err := json.Marshal(r)
	if err != nil {
		j.w.fail(err)
		return
	}
	j.write("\n" + string(text))
}

func (j *jsonStream) close(d Document) {
	if !j.begun {
		j.begin()
	}
	j.write(fmt.Sprintf("],\n\"exit_code\":%d,\"took_ms\":%d}\n", d.ExitCode, d.TookMS))
}
