package output

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
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

// Line is the first line of a check. The bar begins the performance data, so none
// may stand in the text.
func (s checkState) Line(text string) string {
	return s.String() + ": " + strings.NewReplacer("|", "¦", "\n", " ").Replace(printable.Line(text, 0))
}

// rank tells which of two states is worse: what is known to be wrong is worse than
// what is not known.
func (s checkState) rank() int {
	return slices.Index([]checkState{okay, warning, Unknown, critical}, s)
}

// checkSummary makes one answer for a monitoring system out of the reports of a
// verification, of one tenant or of many.
type checkSummary struct {
	warning, critical time.Duration // of the key's life that is left
	now               time.Time

	tenants          int
	proven, all      int // peers
	pending, refused int
	left             *time.Duration // of the key that ends first
	first            string         // the tenant whose key that is
	problems         []problem
}

// problem is one line of the answer.
type problem struct {
	state checkState
	text  string
}

func (p problem) String() string { return p.state.Line(p.text) }

// fail is for what is not of one tenant.
func (c *checkSummary) fail(err error) { c.problem(Unknown, err.Error()) }

func (c *checkSummary) problem(s checkState, text string) {
	c.problems = append(c.problems, problem{s, text})
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
		c.problem(warning, fmt.Sprintf("%s: not everything is proven (exit code %d of verify)", r.Wwwroot, r.Exit))
	}
}

// addError judges what kept a tenant from being looked at.
func (c *checkSummary) addError(r rotate.TenantReport) {
	text := r.Wwwroot + ": " + r.Error
	if strings.HasPrefix(r.Error, r.Wwwroot) { // it names what it is about, or it was not found out whose turn it was
		text = r.Error
	}
	switch {
	case r.Exit == rotate.ExitOwnSite, errors.Is(r.Err, rotate.ErrExpired):
		c.problem(critical, text)
	case errors.Is(r.Err, rotate.ErrOwnUnreachable): // as without the error
		c.problem(warning, text)
	default:
		c.problem(Unknown, text)
	}
}

// addOwnSite judges what the local site has shown. One that could not be asked may
// work all the same; its links are not proven.
func (c *checkSummary) addOwnSite(r rotate.TenantReport) {
	text := r.Wwwroot + ": own site " + ownSite(r.SelfCheck)
	switch {
	case r.Exit == rotate.ExitOwnSite, r.SelfCheck == rotate.SelfNoRC4, r.SelfCheck == rotate.SelfFailed:
		c.problem(critical, text)
	case r.SelfCheck != rotate.SelfProven:
		c.problem(warning, text)
	}
}

func (c *checkSummary) addPeer(tenant string, p rotate.PeerReport) {
	if p.Outcome == rotate.Ignored {
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
	c.problem(warning, fmt.Sprintf("%s: peer %s %s: %s", tenant, p.Wwwroot, p.Outcome, reasonWords(p)))
}

// addLife judges what is left of a tenant's key.
func (c *checkSummary) addLife(r rotate.TenantReport, left time.Duration) {
	if c.left == nil || left < *c.left {
		c.left, c.first = &left, r.Wwwroot
	}
	text := fmt.Sprintf("%s: the key ends in %s", r.Wwwroot, days(left))
	if left <= 0 {
		text = r.Wwwroot + ": the key has ended"
	}
	switch {
	case errors.Is(r.Err, rotate.ErrExpired): // which is said already
	case left < c.critical:
		c.problem(critical, text)
	case left < c.warning:
		c.problem(warning, text)
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

// String is the whole answer: one line with performance data, then a line for
// each problem where there are several, the worst first. Their order is not that in
// which tenants were done: the first line must not change from check to check.
func (c *checkSummary) String() string {
	slices.SortFunc(c.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(b.state.rank(), a.state.rank()), strings.Compare(a.text, b.text))
	})
	var b strings.Builder
	switch {
	case len(c.problems) == 1:
		b.WriteString(c.problems[0].String())
	case len(c.problems) > 1:
		worst := c.problems[0]
		b.WriteString(worst.state.Line(fmt.Sprintf("%d problems; %s", len(c.problems), worst.text)))
	case c.left == nil:
		b.WriteString(okay.Line(count(c.tenants, "tenant")))
	case c.tenants == 1:
		b.WriteString(okay.Line(fmt.Sprintf("%s: the key ends in %s, %s proven", c.first, days(*c.left), outOf(c.proven, c.all, "peer"))))
	default:
		b.WriteString(okay.Line(fmt.Sprintf("%s: the first key ends in %s, %s proven", count(c.tenants, "tenant"), days(*c.left), outOf(c.proven, c.all, "link"))))
	}
	b.WriteString(" |")
	if c.left != nil {
		// Cut off, as in the text: 4.996 days are not 5.00.
		fmt.Fprintf(&b, " days_left=%.2f;%.2f:;%.2f:", math.Floor(100*inDays(*c.left))/100, inDays(c.warning), inDays(c.critical))
	}
	fmt.Fprintf(&b, " peers_pending=%d;0;;0 peers_refused=%d;0;;0\n", c.pending, c.refused)
	if len(c.problems) > 1 {
		for _, p := range c.problems {
			b.WriteString(p.String() + "\n")
		}
	}
	return b.String()
}

func inDays(d time.Duration) float64 { return d.Hours() / 24 }

// days is a time span for people.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return count(int(d.Hours()), "hour")
	}
	return count(int(inDays(d)), "day")
}
