// Package metrics writes the result of a run for the textfile collector of Prometheus' node
// exporter.
//
// A file belongs to one job: it has some tenants, and what was last known of each. Tenants of
// another job, such as another shard of an array, belong in another file, and each tenant in only
// one file of a directory: the collector accepts no series twice. For the same reason all series
// about runs have the file's name as a label.
//
// No run may remove from monitoring what it alerts on: neither a run that fails, nor a manual one
// that examines a single tenant. So an expiry and the times of the last success remain until
// something newer is known, and what a run has not examined remains as it was: other commands
// always, other tenants unless the run examined all there are. The very first run may fail as well:
// a last success that never was is 0, which is long ago. Only an expiry that is not known yet is
// left out: 0 would be a key that has expired.
package metrics

import (
	"maps"
	"slices"
	"time"

	"renew_mnetkeys/rotate"
)

// Run is the result of the command as a whole.
type Run struct {
	Command  string // renew, push, …
	Started  time.Time
	Took     time.Duration
	ExitCode int
	// Whole says that the run examined every tenant that the file is about: a tenant that is
	// missing from the run no longer exists, and is removed. Otherwise it remains with all that was
	// known of it. An interrupted run, and one that saw no tenant, do not count as whole.
	Whole bool
	// Excluded are tenants that a whole run left out: they stay.
	Excluded rotate.Globs
}

// ended is when the run ended.
func (r Run) ended() float64 { return seconds(r.Started.Add(r.Took)) }

// drops reports whether a tenant that is missing from the run no longer belongs to the job.
func (r Run) drops(tenants int) bool {
	return r.Whole && tenants > 0 && r.ExitCode < 128 // from 128 on, a signal ended it
}

// seconds is the time since 1970 in seconds, to the millisecond, as Prometheus counts time.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// tenant is what is kept of a report: a few numbers, whatever the number of peers.
type tenant struct {
	seen     bool // by a run, which has set outcome and peers
	guessed  bool // its name may be mistyped
	outcome  rotate.Outcome
	proven   bool    // its exit code is 0
	local    bool    // its local site was proven
	unasked  bool    // the run failed before it asked the local site
	notAfter float64 // 0: not known
	success  float64 // 0: never, as far as is known
	peers    map[rotate.PeerOutcome]int
	nodes    map[string]float64 // web servers of its local site: 1 if proven
}

// Add adds the report of a tenant to the file that Write will write. If there are two reports on
// one tenant, the later counts. It must not be called concurrently.
func (f *File) Add(r rotate.TenantReport) {
	if r.Wwwroot == "" {
		return // the run failed before it knew any tenant
	}
	t := &tenant{seen: true, guessed: r.Unconfirmed, outcome: r.Outcome, proven: r.Exit == rotate.ExitOK, local: r.SelfCheck == rotate.SelfProven && r.Exit != rotate.ExitLocalSite,
		unasked: r.Outcome == rotate.Failed && r.SelfCheck == rotate.SelfSkipped && r.Exit != rotate.ExitLocalSite,
		peers:   map[rotate.PeerOutcome]int{}, nodes: map[string]float64{}}
	for _, n := range r.Nodes {
		if n.SelfCheck != rotate.SelfSkipped { // left out, for example an IPv6 address on which nothing listens
			t.nodes[text(n.Address)] = bit(n.SelfCheck == rotate.SelfProven)
		}
	}
	if end, ok := r.Ends(); ok {
		t.notAfter = seconds(end)
	}
	for _, p := range r.Peers {
		if p.Outcome != "" {
			t.peers[p.Outcome]++
		}
	}
	f.tenants[text(r.Wwwroot)] = t
	if r.Moved != nil && (r.Outcome == rotate.Renewed || r.Outcome == rotate.Kept) {
		f.moved[text(r.Moved.From)] = true
	}
}

// complete fills the gaps that the run leaves with what was in the file before.
func (f *File) complete(run Run, before previous) {
	maps.DeleteFunc(f.tenants, func(wwwroot string, t *tenant) bool { return t.guessed && before.tenants[wwwroot] == nil })
	drops := run.drops(len(f.tenants))
	for wwwroot, was := range before.tenants {
		t := f.tenants[wwwroot]
		switch {
		case t != nil:
			if t.notAfter == 0 {
				t.notAfter = was.notAfter
			}
			t.success = was.success
			if t.outcome == rotate.Failed && len(t.peers) == 0 { // the run did not reach them
				t.peers = was.peers
			}
			if t.unasked {
				t.local = was.local
			}
			if len(t.nodes) == 0 { // the run did not ask them
				t.nodes = was.nodes
			}
		case f.moved[wwwroot]:
		case !drops, run.Excluded.Match(wwwroot):
			f.tenants[wwwroot] = was
		}
	}
	for _, t := range f.tenants {
		if t.proven {
			t.success = run.ended()
		}
	}
}

// peersByOutcome has a number for every outcome, so that a query for one always finds a number.
func (t *tenant) peersByOutcome() map[string]float64 {
	n := map[string]float64{}
	for _, outcome := range []rotate.PeerOutcome{rotate.Accepted, rotate.Healed, rotate.Pending, rotate.Refused, rotate.Skipped, rotate.Ignored} {
		n[string(outcome)] = 0
	}
	for outcome, count := range t.peers {
		n[string(outcome)] = float64(count)
	}
	return n
}

// outcomes has 1 for the outcome of the tenant and 0 for every other.
func (t *tenant) outcomes() map[string]float64 {
	n := map[string]float64{}
	for _, outcome := range []rotate.Outcome{rotate.Renewed, rotate.Kept, rotate.Undone, rotate.Failed} {
		n[string(outcome)] = 0
	}
	if t.outcome != "" {
		n[string(t.outcome)] = 1
	}
	return n
}

// families are the metrics of a run and of the previous file, each with its samples in a fixed
// order.
func (f *File) families(run Run, before previous) []family {
	command := text(run.Command)
	// The series begins with the first run.
	before.runs[lastSuccess][command] = max(before.runs[lastSuccess][command], 0)
	before.runs[lastRun][command], before.runs[duration][command], before.runs[exitCode][command] = run.ended(), run.Took.Seconds(), float64(run.ExitCode)
	if run.ExitCode == rotate.ExitOK {
		before.runs[lastSuccess][command] = run.ended()
	}
	all := []family{
		{name: lastRun, help: "When the last run of the command ended."},
		{name: duration, help: "How long the last run of the command took."},
		{name: exitCode, help: "Exit code of the last run of the command."},
		{name: lastSuccess, help: "When the last run of the command that ended with exit code 0 ended, 0 if none has."},
	}
	for i, family := range all {
		of := before.runs[family.name]
		for _, command := range slices.Sorted(maps.Keys(of)) {
			all[i].samples = append(all[i].samples, sample{[]string{"command", command, "file", f.name()}, of[command]})
		}
	}
	expiry := family{name: notAfter, help: "When the tenant's MNet certificate expires."}
	proven := family{name: tenantSuccess, help: "When the last run ended in which all was well with the tenant, 0 if none has."}
	local := family{name: localSite, help: "Whether the tenant's local site was proven to use the stored key in the last run that looked at it: 1 or 0."}
	nodes := family{name: nodeProven, help: "Whether a web server of the tenant's local site was proven to use the stored key in the last run that asked it: 1 or 0."}
	outcomes := family{name: tenantOutcome, help: "What became of the tenant in the last run that looked at it: 1 for its outcome."}
	found := family{name: peers, help: "The tenant's MNet peers by what became of them in the last run that looked at them."}
	for _, wwwroot := range slices.Sorted(maps.Keys(f.tenants)) {
		t, label := f.tenants[wwwroot], []string{"wwwroot", wwwroot}
		if t.notAfter != 0 {
			expiry.samples = append(expiry.samples, sample{label, t.notAfter})
		}
		proven.samples = append(proven.samples, sample{label, t.success})
		if t.seen {
			local.samples = append(local.samples, sample{label, bit(t.local)})
			nodes.add(label, "address", t.nodes)
			outcomes.add(label, "outcome", t.outcomes())
			found.add(label, "outcome", t.peersByOutcome())
		}
	}
	return append(all, expiry, proven, local, nodes, outcomes, found)
}

// bit is 1 for yes and 0 for no.
func bit(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
