package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// doctorText collects the findings of the diagnoses of one or many tenants, by cause: hundreds of
// tenants with one cause are one group.
type doctorText struct {
	verbose bool
	array   bool // tenants are named
	causes  map[cause]*causeGroup
	found   map[rotate.Severity]int // findings, as the page counts them
	order   []cause                 // in the order in which they were found
	sites   map[string]int          // tenants by the description of their sites
	nodes   map[string]int          // tenants by what a web server showed for them; with --verbose of all
	proven  map[string]bool         // whether a web server was proven for every tenant, by address
	links   []usedLink
	traffic struct {
		links, used, unknown int
		users, sessions      int64
	}
}

// usedLink is a row of the table of who uses which link.
type usedLink struct {
	of, peer string
	use      rotate.LinkUse
}

// cause is what makes findings one group: what is cured in different ways is not one.
type cause struct {
	severity rotate.Severity
	code     string
	message  string
	next     string
}

// ofLinks is 1 for a cause that links have, 0 for one of sites.
func (c cause) ofLinks() int {
	if strings.HasPrefix(c.code, "peer_") {
		return 1
	}
	return 0
}

// causeGroup is everything that has one cause.
type causeGroup struct {
	tenants  []string
	subjects map[string]string // peers or cache stores, with the details of each
	detail   string            // the longest one: of a database that all wait for, it says the most
	of       string            // the tenant that has it
	several  bool              // details that differ
}

func newDoctorText(verbose, array bool) *doctorText {
	return &doctorText{verbose: verbose, array: array, causes: map[cause]*causeGroup{}, found: map[rotate.Severity]int{}, sites: map[string]int{}, nodes: map[string]int{}, proven: map[string]bool{}}
}

// add takes the diagnosis of one tenant.
func (d *doctorText) add(r rotate.TenantReport) {
	for _, f := range r.Findings {
		d.found[f.Severity]++
		key := cause{f.Severity, f.Code, f.Message, f.Next}
		g := d.causes[key]
		if g == nil {
			g = &causeGroup{subjects: map[string]string{}, detail: f.Detail, of: r.Wwwroot}
			d.causes[key], d.order = g, append(d.order, key)
		}
		g.several = g.several || f.Detail != g.detail
		if len(f.Detail) > len(g.detail) {
			g.detail, g.of = f.Detail, r.Wwwroot
		}
		if len(g.tenants) == 0 || g.tenants[len(g.tenants)-1] != r.Wwwroot {
			g.tenants = append(g.tenants, r.Wwwroot)
		}
		for _, p := range f.Peers {
			g.subjects[p] = ""
		}
		if len(f.Peers) == 0 && f.Subject != "" && f.Subject != r.Wwwroot {
			g.subjects[f.Subject] = f.Detail
		}
	}
	if r.Site != nil {
		d.sites[siteWords(*r.Site)]++
	}
	for _, n := range r.Nodes {
		before, seen := d.proven[n.Address]
		d.proven[n.Address] = n.SelfCheck == rotate.SelfProven && (before || !seen)
		if n.SelfCheck != rotate.SelfProven || d.verbose {
			d.nodes[nodeWords(n)]++
		}
	}
	for _, p := range r.Peers {
		d.link(r.Wwwroot, p)
	}
}

// completer is [Printer.CompleteGroup].
type completer = func(hint, first string, several bool) string

// text lists errors first, then warnings; for an array, what is wrong with sites before what is wrong
// with links, which may be a consequence, then the causes of most tenants. Notes come last, if they
// were requested.
func (d *doctorText) text(paint func(word, padded string) string, complete completer) string {
	var b strings.Builder
	if d.array { // the order of tenants is random
		slices.SortFunc(d.order, func(x, y cause) int {
			return cmp.Or(x.ofLinks()-y.ofLinks(), len(d.causes[y].tenants)-len(d.causes[x].tenants), strings.Compare(x.code, y.code), strings.Compare(x.message, y.message), strings.Compare(x.next, y.next))
		})
	}
	for _, severity := range []rotate.Severity{rotate.SeverityError, rotate.SeverityWarning, rotate.SeverityInfo} {
		if severity == rotate.SeverityInfo && !d.verbose {
			continue
		}
		for _, key := range d.order {
			if key.severity == severity {
				d.group(&b, key, paint, complete)
			}
		}
	}
	d.table(&b)
	d.about(&b)
	return b.String()
}

// severityWords are the severities for people.
var severityWords = map[rotate.Severity]string{rotate.SeverityError: "error", rotate.SeverityWarning: "warning", rotate.SeverityInfo: "note"}

// group writes one cause: what, where, and what to do.
func (d *doctorText) group(b *strings.Builder, key cause, paint func(word, padded string) string, complete completer) {
	g := d.causes[key]
	fmt.Fprintf(b, "\n%s %s\n", paint(severityColours[key.severity], fmt.Sprintf("%-7s", severityWords[key.severity])), printable.Line(key.message+" ["+key.code+"]", 0))
	line := func(format string, args ...any) {
		fmt.Fprintf(b, "        %s\n", printable.Line(fmt.Sprintf(format, args...), 0))
	}
	if d.array {
		slices.Sort(g.tenants)
		line("%s: %s", count(len(g.tenants), "tenant"), rotate.Some(g.tenants))
	}
	g.seen(line, key.code, d.array)
	line("next: %s", complete(key.next, g.tenants[0], len(g.tenants) > 1))
}

// seen writes the subjects that have the cause. For one tenant all details are shown, for an array
// one as an example.
func (g *causeGroup) seen(line func(format string, args ...any), code string, array bool) {
	names, thing := slices.Sorted(maps.Keys(g.subjects)), "peer"
	if strings.HasPrefix(code, "cache_") {
		thing = "store"
	}
	if len(names) > 0 && g.several && !array {
		for _, name := range names[:min(len(names), rotate.NamesShown)] {
			line("%s %s: %s", thing, name, g.subjects[name])
		}
		if more := len(names) - rotate.NamesShown; more > 0 {
			line("and %s", count(more, "more "+thing))
		}
		return
	}
	if len(names) > 0 {
		line("%s: %s", count(len(names), thing), rotate.Some(names))
	}
	switch {
	case g.detail == "", strings.HasPrefix(code, "peers_"): // the detail is the number of peers
	case g.several && array && len(names) == 0:
		line("for example: %s: %s", g.of, g.detail)
	case g.several:
		line("for example: %s", g.detail)
	default:
		line("%s", g.detail)
	}
}

// renderFindings lists what the diagnosis of one tenant has found, and what to do.
func renderFindings(r rotate.TenantReport, verbose bool, paint func(word, padded string) string) string {
	d := newDoctorText(verbose, false)
	d.add(r)
	// The hints are completed already.
	return printable.Line(r.Wwwroot, 0) + "\n" + d.text(paint, func(hint, _ string, _ bool) string { return hint })
}

// severityColours give a severity the colour of an outcome.
var severityColours = map[rotate.Severity]string{
	rotate.SeverityError: string(rotate.Failed), rotate.SeverityWarning: string(rotate.Pending), rotate.SeverityInfo: "",
}
