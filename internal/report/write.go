package report

import (
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed filter.js
var filterJS string

//go:embed matrix.js
var matrixJS string

// view is the data of page.html.
type view struct {
	Run                         Run
	Policy                      string // Content-Security-Policy
	Style                       template.CSS
	Script                      template.JS
	Headline, Meaning           string
	Verdict                     mark
	Started, Took               string
	Tenants                     []tenantRow
	TenantChips, PeerChips      []chip
	FindingChips                []chip
	Single                      *single
	LinkFailures, TenantFailure []group
	Findings, Notes             []group
	HasRetired                  bool // retired keys are known
	Matrix                      matrix
	Timeline                    timeline
	Left                        shortener
}

// tenantRow is a tenant of an array.
type tenantRow struct {
	mark
	Name, Full string
	Said       string // the outcome as the headline calls it
	Outcomes   string // words, for the filter
	SelfCheck  selfCheck
	Nodes      string // what each web server showed, a line each
	Expires    string
	Retired    string // keys, if they are known
	Total      int
	Parts      []part
}

// part is a piece of a tenant's bar: how many links have this outcome.
type part struct {
	mark
	Count    int
	X, Width string
}

// Write makes the page. It can be called again, also after more reports.
func (p *Page) Write(w io.Writer, run Run) error {
	t, err := template.New("page").Funcs(template.FuncMap{"whole": wholeOptions}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the template of the page: %w", err)
	}
	if err := t.Execute(w, p.view(run)); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// optionName is the name of an option in a command.
var optionName = regexp.MustCompile(`--[a-z][a-z-]*`)

// wholeOptions is a text in which no line ends inside the name of an option: a browser would break it
// behind its dashes.
func wholeOptions(text string) template.HTML {
	return template.HTML(optionName.ReplaceAllString(template.HTMLEscapeString(text), `<span class="option">$0</span>`)) //nolint:gosec // escaped
}

func (p *Page) view(run Run) view {
	tenants := slices.Clone(p.tenants)
	sortTenants(tenants)
	run.Version, run.Command.Name = printable.Line(run.Version, 0), printable.Line(run.Command.Name, 0)
	how := run.mode()
	v := view{Run: run, Style: template.CSS(pageCSS), Script: template.JS(filterJS + matrixJS), Policy: policy(pageCSS, filterJS+matrixJS),
		Headline: headline(tenants, run), Meaning: meaning(run), Verdict: verdict(run),
		Started: rotate.FormatTime(run.Started), Took: run.Took.Round(10 * time.Millisecond).String(),
		TenantChips: tenantChips(tenants, how), PeerChips: peerChips(tenants, how), FindingChips: findingChips(tenants)}
	now := run.Started.Add(run.Took)
	if len(tenants) == 1 {
		v.Single = p.single(tenants[0], how)
		v.Single.complete(run)
		v.Timeline = p.timeline(tenants, shortener{}, now)
		return v
	}
	v.Left = newShortener(p.sites)
	v.TenantFailure = p.tenantFailures(tenants, v.Left, how)
	v.Findings = p.findingGroups(tenants, v.Left)
	v.LinkFailures = p.linkFailures(tenants, v.Left, how)
	v.Notes = p.notes(tenants, v.Left)
	for _, groups := range [][]group{v.TenantFailure, v.Findings, v.LinkFailures, v.Notes} {
		for i := range groups {
			groups[i].Next = run.complete(groups[i].Next, groups[i].tenant, groups[i].several)
		}
	}
	v.Matrix = p.matrix(tenants, v.Left, how)
	v.Timeline = p.timeline(tenants, v.Left, now)
	for _, t := range tenants {
		row := rowOf(t, v.Left, how)
		v.HasRetired = v.HasRetired || row.Retired != ""
		v.Tenants = append(v.Tenants, row)
	}
	return v
}

func rowOf(t tenant, short shortener, how mode) tenantRow {
	row := tenantRow{mark: markOf(tenantMarks(how), string(t.report.Outcome)), Name: short.short(t.report.Wwwroot), Full: printable.Line(t.report.Wwwroot, 0), Said: how.said(t.report, 1),
		Outcomes: t.outcomes(), SelfCheck: selfCheckOf(t.report), Nodes: strings.Join(nodeLines(t.report.Nodes), "\n"), Total: len(t.links)}
	if end, known := t.report.Ends(); known {
		row.Expires = end.UTC().Format(time.DateOnly)
	}
	if kept := t.report.Retired; len(kept) > 0 {
		row.Retired = number(len(kept)) + ", the newest until " + kept[0].NotAfter.UTC().Format(time.DateOnly)
	}
	before := 0
	for _, m := range peerMarks(how) {
		if n := t.count[rotate.PeerOutcome(m.Outcome)]; n > 0 {
			row.Parts = append(row.Parts, part{mark: m, Count: n, X: percent(float64(before) / float64(len(t.links))), Width: percent(float64(n) / float64(len(t.links)))})
			before += n
		}
	}
	return row
}

// outcomes are the words by which the filter finds a tenant.
func (t tenant) outcomes() string {
	all := []string{printable.Line(string(t.report.Outcome), 0)}
	for o := range t.count {
		all = append(all, printable.Line(string(o), 0))
	}
	for _, f := range t.findings {
		all = append(all, printable.Line(severityWord(f.Severity), 0))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// policy allows the page's own style and script, and nothing else; it forbids all requests.
func policy(style, script string) string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", digest(style), digest(script))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
