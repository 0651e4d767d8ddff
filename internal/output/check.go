package output

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"renew_mnetkeys/rotate"
)

// checkState is a state of the Monitoring Plugins' guidelines, and its exit code.
type checkState int

const (
	okay checkState = iota
	warning
	critical
	Unknown // the state could not be found out; package run needs it for errors of usage
)

// String is the guidelines' word for the state.
func (s checkState) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s]
}

// rank says which of two states is worse: a known fault is worse than an unknown state.
func (s checkState) rank() int {
	return slices.Index([]checkState{okay, warning, Unknown, critical}, s)
}

// checkSummary makes one answer for a monitoring system from the reports of a verification, of one
// tenant or of many. What it says of a tenant is the same in both cases.
type checkSummary struct {
	warning, critical time.Duration // of the remaining lifetime of a key
	now               time.Time
	// complete makes the next steps of problems of one cause ready to be pasted, as CompleteGroup.
	complete func(text, tenant string, several bool) string

	tenants          int
	looked           bool // at the peers of a tenant, if it has any
	proven, all      int  // peers
	pending, refused int
	ignored          int            // not of all
	left             *time.Duration // of the key that expires first
	first            string         // the tenant that has this key
	problems         []problem
}

// problem is a fault of a tenant, or of one of its links.
type problem struct {
	state        checkState
	tenant, peer string // "" if it does not belong to one
	cause        string // what problems of one kind share
	alike        string // the cause without what each tenant has for itself
	detail       string // the cause with all details of this problem
	next         string // what to do about it, "" if nothing
}

// cure is the next step as [cureOf] gives it.
func (p problem) cure() string { return cureOf(p.next, p.tenant, p.peer) }

func newCheckSummary(out *Printer) *checkSummary {
	return &checkSummary{warning: out.Options.Warning, critical: out.Options.Critical, now: out.Started, complete: out.CompleteGroup}
}

// fail is for a problem that does not belong to one tenant.
func (c *checkSummary) fail(err error) {
	c.problem(problem{state: Unknown, cause: err.Error(), next: rotate.HintOf(err)})
}

// problem adds one; its cause is the detail if it has no other.
func (c *checkSummary) problem(p problem) {
	p.detail, p.alike = cmp.Or(p.detail, p.cause), p.cause
	if p.peer == "" { // a link's cause is its reason, and there are many links
		p.alike = alike(p.cause, p.tenant)
	}
	c.problems = append(c.problems, p)
}

func (c *checkSummary) add(r rotate.TenantReport) {
	c.tenants++
	c.looked = c.looked || r.Err == nil || len(r.Peers) > 0
	if end, ok := r.Ends(); ok {
		c.addLife(r, end.Sub(c.now))
	}
	known := len(c.problems)
	if r.Err != nil {
		c.addError(r)
	} else {
		c.addOwnSite(r)
	}
	for _, p := range r.Peers {
		c.addPeer(r.Wwwroot, p)
	}
	if len(c.problems) == known && r.Exit != rotate.ExitOK { // for any other reason
		text := fmt.Sprintf("not everything is proven (exit code %d of verify)", r.Exit)
		c.problem(problem{state: warning, tenant: r.Wwwroot, cause: text, next: "run: renew_mnetkeys verify"})
	}
}

// addError judges why a tenant could not be examined. If MNet is off, that is a known state, and
// may be intended: an operator can leave that tenant out (--exclude).
func (c *checkSummary) addError(r rotate.TenantReport) {
	state, cause := Unknown, withoutTenant(r.Error, r.Wwwroot)
	switch {
	case r.Exit == rotate.ExitLocalSite, errors.Is(r.Err, rotate.ErrExpired), errors.Is(r.Err, rotate.ErrNoKey), errors.Is(r.Err, rotate.ErrOtherName):
		state = critical
	case errors.Is(r.Err, rotate.ErrOwnUnreachable), // judged as without the error
		errors.Is(r.Err, rotate.ErrMNetOff):
		state = warning
	}
	c.problem(problem{state: state, tenant: r.Wwwroot, cause: cause, next: r.Hint})
}

// addOwnSite judges what the local site has shown. A site that could not be asked may work all the
// same; its links are not proven.
func (c *checkSummary) addOwnSite(r rotate.TenantReport) {
	_, next := r.LocalSite()
	p := problem{tenant: r.Wwwroot, cause: "local site " + ownSite(r), next: next}
	if r.SelfCheck == rotate.SelfSkipped {
		p.cause, p.next = "the local site was not asked which key it uses", "leave out --self-check=off"
	}
	switch {
	case r.Exit == rotate.ExitLocalSite, r.SelfCheck == rotate.SelfNoRC4, r.SelfCheck == rotate.SelfFailed:
		p.state = critical
	case r.SelfCheck != rotate.SelfProven:
		p.state = warning
	}
	if p.state != okay {
		c.problem(p)
	}
}

func (c *checkSummary) addPeer(tenant string, p rotate.PeerReport) {
	if p.Outcome == rotate.Ignored {
		c.ignored++
		return
	}
	c.all++
	switch p.Outcome {
	case rotate.Accepted, rotate.Healed:
		c.proven++
		return
	case rotate.Skipped:
		return
	case rotate.Pending:
		c.pending++
	case rotate.Refused:
		c.refused++
	}
	c.problem(problem{state: warning, tenant: tenant, peer: p.Wwwroot, cause: fmt.Sprintf("%s (%s)", p.Outcome, p.Reason),
		detail: fmt.Sprintf("peer %s %s: %s", p.Wwwroot, p.Outcome, reasonWords(p)), next: p.Next})
}

// addLife judges the remaining lifetime of a tenant's key.
func (c *checkSummary) addLife(r rotate.TenantReport, left time.Duration) {
	if c.left == nil || left < *c.left {
		c.left, c.first = &left, r.Wwwroot
	}
	p := problem{tenant: r.Wwwroot, detail: "the key expires in " + days(left),
		next: "look into the log of the job that renews the keys, and renew this one. Run: renew_mnetkeys"}
	if life, known := r.Life(); known && life <= max(c.warning, c.critical) {
		p.next = "this key lives only " + days(life) + ". If new keys do so too, make their life longer (Moodle's setting mnetkeylifetime, or --days), or give shorter times with --warning and --critical. To make a new key, run: renew_mnetkeys"
	}
	switch {
	case errors.Is(r.Err, rotate.ErrExpired): // which is reported already
		return
	case left <= 0:
		p.state, p.cause, p.detail = critical, rotate.ErrExpired.Error(), ""
	case left < c.critical:
		p.state, p.cause = critical, "the key expires in less than "+days(c.critical)
	case left < c.warning:
		p.state, p.cause = warning, "the key expires in less than "+days(c.warning)
	default:
		return
	}
	c.problem(p)
}

func (c *checkSummary) state() checkState {
	worst := okay
	for _, p := range c.problems {
		if p.state.rank() > worst.rank() {
			worst = p.state
		}
	}
	return worst
}

// close finishes the sinks of the run; if one fails, that is a problem like any other. It gives the
// exit code.
func (c *checkSummary) close(out *Printer) int {
	_, failed := out.Sinks.finish(int(c.state()))
	for _, err := range failed {
		c.fail(err)
	}
	return int(c.state())
}

func inDays(d time.Duration) float64 { return d.Hours() / 24 }

// days formats a time span for people.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int(d.Hours()), "hour")
	}
	return count(int(inDays(d)), "day")
}
