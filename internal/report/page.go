// Package report makes one HTML page of a run, for people: what happened, to which sites, and what
// to do about it.
//
// The page is complete: style, script and data are in the file, nothing is loaded from elsewhere,
// and a Content Security Policy makes the browser enforce that. It is a view of rotate's reports
// and decides nothing: Hint and Next of the reports say what an operator does about a failure.
package report

import (
	"math"
	"strings"
	"time"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// Command is what the page must know about the command.
type Command struct {
	Name      string         // renew, push, …
	ReadsOnly bool           // a key that it keeps says nothing about its use
	MakesKey  bool           // it renews the key, if that is due
	Checks    bool           // its exit codes are those of the Monitoring Plugins
	Diagnoses bool           // no finding is a result, too
	Good      rotate.Outcome // the outcome of a tenant if the command was successful
	Exits     rotate.Exits   // the meanings of its exit codes
	Done      string         // renewed, pushed, …: can be …, not …
	Did       string         // https://tenant.example: …; "" if the word of the outcome is used
}

// Run is what the page says of the run as a whole.
type Run struct {
	Command  Command
	DryRun   bool
	Started  time.Time
	Took     time.Duration // Started+Took is the "now" of the page
	ExitCode int           // one of rotate's, or 128 plus the signal
	Version  string
	// Complete completes the commands of a next step for the tenant with this wwwroot, or for
	// several of which it is one; nil leaves them as they are.
	Complete func(next, wwwroot string, several bool) string
}

func (r Run) complete(next, wwwroot string, several bool) string {
	if r.Complete == nil {
		return next
	}
	return printable.Line(r.Complete(next, wwwroot, several), 0)
}

func (r Run) mode() mode { return mode{r.Command, r.DryRun} }

// Page collects the reports of a run until they are written. It must be used by one goroutine at a
// time.
//
// A link between a tenant and its peer takes twelve bytes, whatever its outcome: data that links
// share is kept once.
type Page struct {
	sites   []site
	siteOf  map[string]uint32
	kinds   []kind
	kindOf  map[kind]uint32
	tenants []tenant
}

// site is a tenant or a peer.
type site struct{ name, application string }

// kind is a possible result of a link. An array of 500 tenants has 250 000 links, and usually only
// a few kinds.
type kind struct {
	outcome              rotate.PeerOutcome
	reason, detail, next string
	attempts             int
	known                string // which certificates both sides have of each other
}

// link is one peer of a tenant.
type link struct {
	peer, kind uint32
	tookMS     uint32
}

type tenant struct {
	site   uint32
	report rotate.TenantReport // without its peers and findings
	links  []link
	count  map[rotate.PeerOutcome]int

	findings []finding // the worst first
}

// New gives an empty page.
func New() *Page { return &Page{siteOf: map[string]uint32{}, kindOf: map[kind]uint32{}} }

// Add takes a tenant's report. It does not keep r.Peers.
func (p *Page) Add(r rotate.TenantReport) {
	t := tenant{site: p.site(r.Wwwroot, ""), report: r, links: make([]link, len(r.Peers)), count: map[rotate.PeerOutcome]int{}}
	t.findings = p.findings(r.Findings)
	t.report.Peers, t.report.Findings = nil, nil
	if r.NotDone() { // counted, and filtered, as one
		t.report.Outcome = rotate.Kept
	}
	for i, peer := range r.Peers {
		k := kind{outcome: peer.Outcome, reason: string(peer.Reason), detail: peer.Detail, attempts: peer.Attempts, known: knownOf(peer)}
		if unproven(peer.Outcome) {
			k.next = peer.Next
		}
		took := min(max(peer.TookMS, 0), math.MaxUint32)
		t.links[i] = link{peer: p.site(peer.Wwwroot, peer.Application), kind: p.kind(k), tookMS: uint32(took)}
		t.count[peer.Outcome]++
	}
	p.tenants = append(p.tenants, t)
}

func (p *Page) site(name, application string) uint32 {
	i, known := p.siteOf[name]
	if !known {
		i = uint32(len(p.sites))
		p.siteOf[name] = i
		p.sites = append(p.sites, site{name: name})
	}
	if p.sites[i].application == "" {
		p.sites[i].application = application
	}
	return i
}

func (p *Page) kind(k kind) uint32 {
	i, known := p.kindOf[k]
	if !known {
		i = uint32(len(p.kinds))
		p.kindOf[k] = i
		p.kinds = append(p.kinds, k)
	}
	return i
}

// knownOf says which certificates both sides of a link have of each other, "" if the command does
// not examine them.
func knownOf(p rotate.PeerReport) string {
	var parts []string
	switch c := p.Certificate; {
	case c != nil:
		parts = append(parts, "its certificate "+c.SHA256[:min(len(c.SHA256), 16)]+" until "+rotate.FormatTime(c.NotAfter))
	case p.Holds != "":
		parts = append(parts, "its certificate cannot be read")
	}
	if has := p.Has(); has != "" {
		parts = append(parts, has)
	}
	return strings.Join(parts, "; ")
}

// unproven reports whether an outcome needs a next step.
func unproven(o rotate.PeerOutcome) bool { return o == rotate.Pending || o == rotate.Refused }
