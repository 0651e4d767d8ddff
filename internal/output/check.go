package output

import (
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
	Unknown // it could not be found out; package run needs it for errors of usage
)

// String is the word that the guidelines have for it.
func (s checkState) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s]
}

// rank tells which of two states is worse: what is known to be wrong is worse than
// what is not known.
func (s checkState) rank() int {
	return slices.Index([]checkState{okay, warning, Unknown, critical}, s)
}

// checkSummary makes one answer for a monitoring system out of the reports of a
// verification, of one tenant or of many. What it says of a tenant is the same either way.
type checkSummary struct {
	warning, critical time.Duration // of the key's life that is left
	now               time.Time

	tenants          int
	proven, all      int // peers
	pending, refused int
	ignored          int            // not of all
	left             *time.Duration // of the key that expires first
	first            string         // the tenant whose key that is
	problems         []problem
}

// problem is what is wrong with a tenant, or with one of its links.
type problem struct {
	state        checkState
	tenant, peer string // "" for what is not of one
	cause        string // what problems of one kind have in common
	detail       string // the cause with all that is known of this one
}

// fail is for what is not of one tenant.
func (c *checkSummary) fail(err error) { c.problem(Unknown, "", err.Error(), err.Error()) }

func (c *checkSummary) problem(s checkState, tenant, cause, detail string) {
	c.problems = append(c.problems, problem{state: s, tenant: tenant, cause: cause, detail: detail})
}

func (c *checkSummary) add(r rotate.TenantReport) {
	c.tenants++
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
	if len(c.problems) == known && r.Exit != rotate.ExitOK { // whatever it is, all is not well
		text := fmt.Sprintf("not everything is proven (exit code %d of verify)", r.Exit)
		c.problem(warning, r.Wwwroot, text, text)
	}
}

// addError judges what kept a tenant from being looked at. That MNet is off is known, and
// may be meant so: an operator can leave that tenant out (--exclude).
func (c *checkSummary) addError(r rotate.TenantReport) {
	state, cause := Unknown, withoutTenant(r.Error, r.Wwwroot)
	switch {
	case r.Exit == rotate.ExitOwnSite, errors.Is(r.Err, rotate.ErrExpired):
		state = critical
	case errors.Is(r.Err, rotate.ErrOwnUnreachable), // as without the error
		errors.Is(r.Err, rotate.ErrMNetOff):
		state = warning
	}
	c.problem(state, r.Wwwroot, cause, cause)
}

// addOwnSite judges what the local site has shown. One that could not be asked may
// work all the same; its links are not proven.
func (c *checkSummary) addOwnSite(r rotate.TenantReport) {
	text := "local site " + ownSite(r.SelfCheck)
	switch {
	case r.Exit == rotate.ExitOwnSite, r.SelfCheck == rotate.SelfNoRC4, r.SelfCheck == rotate.SelfFailed:
		c.problem(critical, r.Wwwroot, text, text)
	case r.SelfCheck != rotate.SelfProven:
		c.problem(warning, r.Wwwroot, text, text)
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
	c.problems = append(c.problems, problem{warning, tenant, p.Wwwroot, fmt.Sprintf("%s (%s)", p.Outcome, p.Reason),
		fmt.Sprintf("peer %s %s: %s", p.Wwwroot, p.Outcome, reasonWords(p))})
}

// addLife judges what is left of a tenant's key.
func (c *checkSummary) addLife(r rotate.TenantReport, left time.Duration) {
	if c.left == nil || left < *c.left {
		c.left, c.first = &left, r.Wwwroot
	}
	detail := "the key expires in " + days(left)
	switch {
	case errors.Is(r.Err, rotate.ErrExpired): // which is said already
	case left <= 0:
		c.problem(critical, r.Wwwroot, rotate.ErrExpired.Error(), rotate.ErrExpired.Error())
	case left < c.critical:
		c.problem(critical, r.Wwwroot, "the key expires in less than "+days(c.critical), detail)
	case left < c.warning:
		c.problem(warning, r.Wwwroot, "the key expires in less than "+days(c.warning), detail)
	}
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

// close finishes the sinks of the run, of which one that fails is a problem like
// any other, and gives the exit code.
func (c *checkSummary) close(out *Printer) int {
	_, failed := out.Sinks.finish(int(c.state()))
	for _, err := range failed {
		c.fail(err)
	}
	return int(c.state())
}

func inDays(d time.Duration) float64 { return d.Hours() / 24 }

// days is a time span for people.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int(d.Hours()), "hour")
	}
	return count(int(inDays(d)), "day")
}
