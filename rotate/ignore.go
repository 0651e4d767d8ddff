package rotate

import (
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// ignore does not count the peers of IgnorePeers that are not proven. A host that this run was to
// connect always counts.
func (r *Renewal) ignore(report *TenantReport) {
	for i := range report.Peers {
		p := &report.Peers[i]
		if (p.Outcome == Pending || p.Outcome == Refused) && slices.ContainsFunc(report.spellings(p.Wwwroot), r.ignores) {
			p.Outcome, p.Next = Ignored, ""
		}
	}
}

// spellings are the wwwroots of the rows that are one link, see [TenantReport.joinRows].
func (r *TenantReport) spellings(wwwroot string) []string {
	return append(slices.DeleteFunc(slices.Clone(r.hidden), func(h string) bool { return !envelope.SameWwwroot(h, wwwroot) }), wwwroot)
}

func (r *Renewal) ignores(wwwroot string) bool {
	return r.IgnorePeers.Match(wwwroot) &&
		!slices.ContainsFunc(r.Bind, func(l Link) bool { return envelope.SameWwwroot(l.Wwwroot, wwwroot) })
}

// ignore changes the findings on peers of IgnorePeers that are not proven: nothing is to be done.
func (d *diagnosis) ignore(peers []PeerReport) {
	for i := range d.findings {
		f := &d.findings[i]
		proven := slices.ContainsFunc(peers, func(p PeerReport) bool { return p.Wwwroot == f.Subject && p.Outcome.Proven() })
		if strings.HasPrefix(f.Code, "peer_") && !proven && d.ignores(f.Subject) {
			f.Severity, f.Next = SeverityInfo, "nothing to do: --ignore-peer names this peer"
		}
	}
}
