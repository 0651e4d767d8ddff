package report

import (
	"cmp"
	"slices"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// single is a run with one tenant: it has a list of peers instead of a matrix.
type single struct {
	mark
	Wwwroot, Error, Hint string
	Said                 string // the outcome, in the words of the headline
	SelfCheck            selfCheck
	Nodes                []string // what each web server of the local site showed
	Certificate          certificate
	Previous             certificate
	Retired              []certificate
	Findings             []findingRow
	Diagnosed            bool // if there are no findings, that is a result, too
	History              int
	Warnings             []string
	Peers                []peerRow
	Marks                []mark // the meaning of the peers' outcomes
}

type certificate struct{ SHA256, From, Until string }

type peerRow struct {
	mark
	Name, Application    string
	Reason, Detail, Next string
	Held                 string
	Attempts             int
	TookMS               string
}

func (p *Page) single(t tenant, how mode) *single {
	r := t.report
	s := &single{mark: markOf(tenantMarks(how), string(r.Outcome)), Wwwroot: printable.Line(r.Wwwroot, 0), Error: printable.Line(r.Error, 0), Hint: printable.Line(t.next(how), 0),
		SelfCheck: selfCheckOf(r), Certificate: certificateOf(r.Certificate), Previous: certificateOf(r.Previous), History: r.History, Marks: peerMarks(how),
		Findings: p.findingRows(t), Diagnosed: how.Diagnoses && r.Error == "", Said: how.said(r, 1)}
	if how.dryRun && r.Outcome == rotate.Kept {
		s.Means = "" // its words say it all
	}
	s.Marks = slices.DeleteFunc(s.Marks, func(m mark) bool { return t.count[rotate.PeerOutcome(m.Outcome)] == 0 })
	s.Nodes = nodeLines(r.Nodes)
	for _, k := range r.Retired {
		s.Retired = append(s.Retired, certificateOf(&k))
	}
	for _, w := range r.Warnings {
		s.Warnings = append(s.Warnings, printable.Line(w, 0))
	}
	for _, l := range t.links {
		k, peer := p.kinds[l.kind], p.sites[l.peer]
		s.Peers = append(s.Peers, peerRow{mark: markOf(peerMarks(how), string(k.outcome)), Name: printable.Line(peer.name, 0), Application: printable.Line(peer.application, 0),
			Reason: printable.Line(k.reason, 0), Detail: printable.Line(k.detail, 0), Next: printable.Line(k.next, 0), Held: printable.Line(k.known, 0), Attempts: k.attempts, TookMS: number(int(l.tookMS))})
	}
	// Peers that need attention come first.
	urgency := []rotate.PeerOutcome{rotate.Refused, rotate.Pending, rotate.Skipped, rotate.Ignored, rotate.Healed, rotate.Accepted}
	slices.SortStableFunc(s.Peers, func(a, b peerRow) int {
		return cmp.Or(cmp.Compare(slices.Index(urgency, rotate.PeerOutcome(a.Outcome)), slices.Index(urgency, rotate.PeerOutcome(b.Outcome))), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// complete completes the commands of all advice. What the tenant's own part says is not said again
// below.
func (s *single) complete(run Run) {
	s.Hint, s.SelfCheck.Next = run.complete(s.Hint, s.Wwwroot, false), run.complete(s.SelfCheck.Next, s.Wwwroot, false)
	var below []*string
	for i := range s.Peers {
		below = append(below, &s.Peers[i].Next)
	}
	for i := range s.Findings {
		below = append(below, &s.Findings[i].Next)
	}
	for _, next := range below {
		*next = run.complete(*next, s.Wwwroot, false)
		if *next == s.SelfCheck.Next || s.saysHint(*next) {
			*next = ""
		}
	}
}

// saysHint reports whether the tenant's failure is shown with this next step.
func (s *single) saysHint(next string) bool { return s.Error != "" && next == s.Hint }

// SiteNext is what to do about the local site, "" if the tenant's failure says it.
func (s *single) SiteNext() string {
	if s.saysHint(s.SelfCheck.Next) {
		return ""
	}
	return s.SelfCheck.Next
}

func certificateOf(k *rotate.KeyReport) certificate {
	if k == nil {
		return certificate{}
	}
	c := certificate{SHA256: k.SHA256, Until: rotate.FormatTime(k.NotAfter)}
	if k.NotBefore != nil {
		c.From = rotate.FormatTime(*k.NotBefore)
	}
	return c
}
