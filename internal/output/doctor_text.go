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

// shown is how many names stand in a line; --json has all.
const shown = 5

// doctorText collects what the diagnoses of one tenant or of many have found, by cause:
// hundreds of tenants with one cause are one group.
type doctorText struct {
	verbose bool
	single  string // wwwroot of the only tenant, "" of an array
	causes  map[cause]*causeGroup
	order   []cause             // as they were found
	sites   map[string][]string // tenants by what is told of their sites
	links   []string            // lines about links that are used
	traffic struct {
		links, used, unknown int
		users, sessions      int64
	}
}

// cause is what makes findings one group.
type cause struct {
	severity rotate.Severity
	code     string
	message  string
}

// causeGroup is everything that one cause was found of.
type causeGroup struct {
	tenants  []string
	subjects map[string]bool // peers, or cache stores
	detail   string          // of the first one
	next     string
	several  bool // details that differ
}

func newDoctorText(verbose bool) *doctorText {
	return &doctorText{verbose: verbose, causes: map[cause]*causeGroup{}, sites: map[string][]string{}}
}

// add takes the diagnosis of one tenant.
func (d *doctorText) add(r rotate.TenantReport) {
	for _, f := range r.Findings {
		key := cause{f.Severity, f.Code, f.Message}
		g := d.causes[key]
		if g == nil {
			g = &causeGroup{subjects: map[string]bool{}, detail: f.Detail, next: f.Next}
			d.causes[key], d.order = g, append(d.order, key)
		}
		g.several = g.several || f.Detail != g.detail
		if len(g.tenants) == 0 || g.tenants[len(g.tenants)-1] != r.Wwwroot {
			g.tenants = append(g.tenants, r.Wwwroot)
		}
		for _, p := range f.Peers {
			g.subjects[p] = true
		}
		if len(f.Peers) == 0 && f.Subject != "" && f.Subject != r.Wwwroot {
			g.subjects[f.Subject] = true
		}
	}
	if r.Site != nil {
		line := siteWords(*r.Site)
		d.sites[line] = append(d.sites[line], r.Wwwroot)
	}
	for _, p := range r.Peers {
		d.link(r.Wwwroot, p)
	}
}

// link counts who uses a link.
func (d *doctorText) link(of string, p rotate.PeerReport) {
	d.traffic.links++
	if p.Use == nil {
		return
	}
	if p.Use.Users == nil || p.Use.Sessions == nil {
		d.traffic.unknown++
	}
	if p.Use.Users != nil {
		d.traffic.users += *p.Use.Users
	}
	if p.Use.Sessions != nil {
		d.traffic.sessions += *p.Use.Sessions
	}
	if p.Use.InUse() {
		d.traffic.used++
	}
	if d.verbose && (p.Use.InUse() || p.Use.LastUsed != nil || p.Use.LastCall != nil) {
		d.links = append(d.links, fmt.Sprintf("  %s  %s: %s\n", printable.Line(of, 0), printable.Line(p.Wwwroot, 0), useWords(*p.Use)))
	}
}

// useWords say who uses a link.
func useWords(u rotate.LinkUse) string {
	words := []string{number(u.Users, "user"), number(u.Sessions, "session")}
	if u.LastUsed != nil {
		words = append(words, "last used "+rotate.FormatTime(*u.LastUsed))
	}
	if u.LastCall != nil {
		words = append(words, "last call of the peer "+rotate.FormatTime(*u.LastCall))
	}
	return strings.Join(words, ", ")
}

func number(n *int64, thing string) string {
	if n == nil {
		return thing + "s not known"
	}
	return count(int(*n), thing)
}

// signOnWords say how it stands with single sign-on.
var signOnWords = map[rotate.SingleSignOn]string{
	rotate.SignOnOn: "single sign-on (auth_mnet) on", rotate.SignOnOff: "single sign-on (auth_mnet) off", rotate.SignOnAbsent: "single sign-on (auth_mnet) not installed",
}

// rc4Words say whether OpenSSL's legacy provider is there for the web server's PHP.
var rc4Words = map[string]string{"yes": "RC4 works", "no": "RC4 missing (OpenSSL's legacy provider)"}

// siteWords are what is told of a site, in one line.
func siteWords(s rotate.SiteReport) string {
	php := "PHP not known"
	switch {
	case s.PHPWeb != "":
		php = "PHP " + s.PHPWeb
	case s.PHPCommand != "":
		php = "PHP " + s.PHPCommand + " on the command line"
	}
	moodle := "Moodle release not known"
	if s.Moodle != "" {
		moodle = "Moodle " + s.Moodle
	}
	return printable.Line(strings.Join([]string{moodle, php, cmp.Or(signOnWords[s.SingleSignOn], "single sign-on not known"), cmp.Or(rc4Words[s.RC4], "RC4 not tested")}, "; "), 0)
}

// text lists errors first, then warnings. Notes stand behind them, if they were asked for.
func (d *doctorText) text(paint func(word, padded string) string) string {
	var b strings.Builder
	for _, severity := range []rotate.Severity{rotate.SeverityError, rotate.SeverityWarning, rotate.SeverityInfo} {
		if severity == rotate.SeverityInfo && !d.verbose {
			continue
		}
		for _, key := range d.order {
			if key.severity == severity {
				d.group(&b, key, paint)
			}
		}
	}
	if len(d.links) > 0 {
		slices.Sort(d.links)
		b.WriteString("\nlinks that are used, as the database of each site tells\n" + strings.Join(d.links, ""))
	}
	d.about(&b)
	return b.String()
}

// severityWords are those that people read.
var severityWords = map[rotate.Severity]string{rotate.SeverityError: "error", rotate.SeverityWarning: "warning", rotate.SeverityInfo: "note"}

// group writes one cause: what, where, and what to do.
func (d *doctorText) group(b *strings.Builder, key cause, paint func(word, padded string) string) {
	g := d.causes[key]
	fmt.Fprintf(b, "\n%s %s\n", paint(severityColours[key.severity], fmt.Sprintf("%-7s", severityWords[key.severity])), printable.Line(key.message+" ["+key.code+"]", 0))
	line := func(format string, args ...any) {
		fmt.Fprintf(b, "        %s\n", printable.Line(fmt.Sprintf(format, args...), 0))
	}
	if d.single == "" {
		line("%s: %s", count(len(g.tenants), "tenant"), some(g.tenants))
	}
	if len(g.subjects) > 0 {
		thing := "peer"
		if strings.HasPrefix(key.code, "cache_") {
			thing = "store"
		}
		line("%s: %s", count(len(g.subjects), thing), some(slices.Sorted(maps.Keys(g.subjects))))
	}
	switch {
	case g.detail != "" && g.several:
		line("for example: %s", g.detail)
	case g.detail != "":
		line("%s", g.detail)
	}
	line("next: %s", g.next)
}

// about ends the text with what the sites are, and who uses the links.
func (d *doctorText) about(b *strings.Builder) {
	b.WriteByte('\n')
	lines := slices.SortedFunc(maps.Keys(d.sites), func(x, y string) int {
		return cmp.Or(len(d.sites[y])-len(d.sites[x]), strings.Compare(x, y))
	})
	for _, line := range lines[:min(len(lines), shown)] {
		if d.single == "" {
			fmt.Fprintf(b, "%s: ", count(len(d.sites[line]), "tenant"))
		}
		b.WriteString(line + "\n")
	}
	if more := len(lines) - shown; more > 0 {
		fmt.Fprintf(b, "and %s, which --json lists\n", count(more, "other kind")+" of sites")
	}
	if len(d.sites) > 0 {
		d.use(b)
	}
	found := d.found()
	fmt.Fprintf(b, "%s, %s, %s", count(found[rotate.SeverityError], "error"), count(found[rotate.SeverityWarning], "warning"), count(found[rotate.SeverityInfo], "note"))
	if found[rotate.SeverityInfo] > 0 && !d.verbose {
		b.WriteString(" (--verbose shows them)")
	}
	b.WriteByte('\n')
}

// use sums up who uses the links.
func (d *doctorText) use(b *strings.Builder) {
	t := d.traffic
	fmt.Fprintf(b, "users come by %d of %s: %s, %s", t.used, count(t.links, "link"), count(int(t.users), "user"), count(int(t.sessions), "open session"))
	if t.unknown > 0 {
		fmt.Fprintf(b, "; not all is known of %s", count(t.unknown, "link"))
	}
	if t.used > 0 && !d.verbose {
		b.WriteString(" (--verbose lists them)")
	}
	b.WriteByte('\n')
}

// found counts the causes.
func (d *doctorText) found() map[rotate.Severity]int {
	found := map[rotate.Severity]int{}
	for key := range d.causes {
		found[key.severity]++
	}
	return found
}

// renderFindings lists what the diagnosis of one tenant has found, and what to do.
func renderFindings(r rotate.TenantReport, verbose bool, paint func(word, padded string) string) string {
	d := newDoctorText(verbose)
	d.single = r.Wwwroot
	d.add(r)
	return printable.Line(r.Wwwroot, 0) + "\n" + d.text(paint)
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// some names a few of many.
func some(names []string) string {
	if len(names) <= shown+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// severityColours give a severity the colour of an outcome.
var severityColours = map[rotate.Severity]string{
	rotate.SeverityError: string(rotate.Failed), rotate.SeverityWarning: string(rotate.Pending), rotate.SeverityInfo: "",
}
