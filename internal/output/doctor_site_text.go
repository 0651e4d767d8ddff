package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

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
		d.links = append(d.links, usedLink{of, p.Wwwroot, *p.Use})
	}
}

// table writes who uses which link, tenant by tenant.
func (d *doctorText) table(b *strings.Builder) {
	slices.SortStableFunc(d.links, func(x, y usedLink) int { return strings.Compare(x.of, y.of) })
	width, of := 0, ""
	for _, l := range d.links {
		width = max(width, min(len(l.peer), 50))
	}
	for _, l := range d.links {
		if of != l.of {
			of = l.of
			fmt.Fprintf(b, "\nusers of the links of %s\n", printable.Line(of, 0))
		}
		fmt.Fprintf(b, "  %-*s  %12s  %13s  last used %-10s  last call %s\n", width, printable.Line(l.peer, 0),
			number(l.use.Users, "user"), number(l.use.Sessions, "session"), dayOf(l.use.LastUsed), dayOf(l.use.LastCall))
	}
}

func number(n *int64, thing string) string {
	if n == nil {
		return "? " + thing + "s"
	}
	return count(int(*n), thing)
}

func dayOf(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

// signOnWords describe the state of single sign-on.
var signOnWords = map[rotate.SingleSignOn]string{
	rotate.SignOnOn: "single sign-on (auth_mnet) on", rotate.SignOnOff: "single sign-on (auth_mnet) off", rotate.SignOnAbsent: "single sign-on (auth_mnet) not installed",
}

// rc4Words say whether the web server's PHP has OpenSSL's legacy provider.
var rc4Words = map[string]string{"yes": "RC4 (OpenSSL's legacy provider) works", "no": "RC4 (OpenSSL's legacy provider) missing"}

// siteWords describe a site, in one line.
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
	return printable.Line(strings.Join([]string{moodle, php, cmp.Or(signOnWords[s.SingleSignOn], "single sign-on not known"), cmp.Or(rc4Words[s.RC4], "RC4 (OpenSSL's legacy provider) not tested")}, "; "), 0)
}

// about ends the text with what the sites are, and who uses the links.
func (d *doctorText) about(b *strings.Builder) {
	b.WriteByte('\n')
	maps.DeleteFunc(d.proven, func(_ string, proven bool) bool { return !proven })
	if addresses := slices.Sorted(maps.Keys(d.proven)); len(addresses) > 0 && !d.verbose {
		fmt.Fprintf(b, "%s proven to use the stored key: %s\n", count(len(addresses), "web server"), printable.Line(rotate.Some(addresses), 0))
	}
	d.most(b, d.nodes, "other result of web servers", "other results of web servers")
	d.most(b, d.sites, "other kind of sites", "other kinds of sites")
	if len(d.sites) > 0 {
		d.use(b)
	}
	errors, warnings, notes := d.found[rotate.SeverityError], d.found[rotate.SeverityWarning], d.found[rotate.SeverityInfo]
	fmt.Fprintf(b, "%s, %s, %s", count(errors, "error"), count(warnings, "warning"), count(notes, "note"))
	if notes > 0 && !d.verbose {
		b.WriteString(" (--verbose shows them)")
	}
	if errors+warnings+notes > len(d.causes) {
		b.WriteString("; those with the same cause are listed once")
	}
	b.WriteByte('\n')
}

// most writes the lines that are true of most tenants.
func (d *doctorText) most(b *strings.Builder, of map[string]int, other, others string) {
	lines := slices.SortedFunc(maps.Keys(of), func(x, y string) int {
		return cmp.Or(of[y]-of[x], strings.Compare(x, y))
	})
	for _, line := range lines[:min(len(lines), rotate.NamesShown)] {
		if d.array {
			fmt.Fprintf(b, "%s: ", count(of[line], "tenant"))
		}
		b.WriteString(line + "\n")
	}
	switch more := len(lines) - rotate.NamesShown; {
	case more == 1:
		fmt.Fprintf(b, "and 1 %s, which --json lists\n", other)
	case more > 1:
		fmt.Fprintf(b, "and %d %s, which --json lists\n", more, others)
	}
}

// use sums up who uses the links.
func (d *doctorText) use(b *strings.Builder) {
	t := d.traffic
	fmt.Fprintf(b, "links in use: %d of the %d in the databases (%s, %s)", t.used, t.links, count(int(t.users), "user"), count(int(t.sessions), "open session"))
	if t.unknown > 0 {
		fmt.Fprintf(b, "; %s could not be counted completely", count(t.unknown, "link"))
	}
	if t.used > 0 && !d.verbose {
		b.WriteString("; --verbose lists them")
	}
	b.WriteByte('\n')
}
