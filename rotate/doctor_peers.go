package rotate

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// peerRows looks at what the database says of the peers, without a call.
func (d *diagnosis) peerRows() {
	spellings := map[string][]string{}
	var unverified, plain []string
	for _, p := range d.tenant.Peers {
		d.peerRow(p)
		folded := envelope.FoldWwwroot(p.Wwwroot)
		spellings[folded] = append(spellings[folded], p.Wwwroot)
		switch {
		case strings.HasPrefix(folded, "http:"):
			plain = append(plain, p.Wwwroot)
		case strings.HasPrefix(folded, "https:") && p.SSLVerification == 0:
			unverified = append(unverified, p.Wwwroot)
		}
	}
	for _, p := range d.tenant.Peers {
		if rows := spellings[envelope.FoldWwwroot(p.Wwwroot)]; len(rows) > 1 {
			d.find(SeverityWarning, "peer_duplicate", p.Wwwroot, "keep the row that is spelled as the peer spells itself, and delete the others in Moodle",
				"%d rows are of one site: %s", len(rows), strings.Join(rows, ", "))
			delete(spellings, envelope.FoldWwwroot(p.Wwwroot))
		}
	}
	d.several(SeverityWarning, "tls_unverified", unverified, "set the verification of these peers to host and certificate (Networking, peers): nothing proves now who answers a keyswap",
		"TLS is not verified (sslverification 0)")
	d.several(SeverityInfo, "http", plain, "move these peers to https when they can: a keyswap over http can be answered by anybody between",
		"no TLS at all")
}

// several notes what is true of some peers in one finding: two hundred lines of
// one kind are read by nobody.
func (d *diagnosis) several(s Severity, code string, peers []string, next, message string) {
	if len(peers) == 0 {
		return
	}
	f := newFinding(s, "peers_"+code, d.tenant.Wwwroot, next, "%d of %d peers: %s", len(peers), len(d.tenant.Peers), message)
	f.Peers = peers
	d.findings = append(d.findings, f)
}

func (d *diagnosis) peerRow(p Peer) {
	note := func(s Severity, code, next, message string, args ...any) {
		d.find(s, "peer_"+code, p.Wwwroot, next, message, args...)
	}
	if d.isOwn(p) {
		note(SeverityWarning, "is_own_site", "delete this peer in Moodle", "the row is another name of this very site: it is no peer")
		return
	}
	if !callable(p) {
		note(SeverityError, "wwwroot", "delete this peer in Moodle, and add it anew by its address", "its wwwroot is no http or https address")
		return
	}
	if strings.HasSuffix(p.Wwwroot, "/") {
		note(SeverityWarning, "trailing_slash", "write its wwwroot without the slash, or delete the peer and add it anew",
			"its wwwroot ends with a slash: the peer calls itself without, and its own calls find no row here")
	}
	switch {
	case p.ServerURL == "":
		note(SeverityError, "application", "choose an application for the peer in Moodle (Networking, peers)",
			"the application of its row (%q) has no XML-RPC server to call", p.Application)
	case p.Application != "moodle" && p.Application != "mahara":
		note(SeverityWarning, "application", "choose Moodle or Mahara for the peer, if it is one: other applications were not tried",
			"its application %q is not known", p.Application)
	}
	d.peerCertificate(p, note)
}

func (d *diagnosis) peerCertificate(p Peer, note func(s Severity, code, next, message string, args ...any)) {
	c, err := envelope.ParseCertificate(p.Certificate)
	switch {
	case p.Certificate == "":
		note(SeverityError, "certificate_missing", advicePush, "no certificate is held of it: it cannot be called")
	case err != nil:
		note(SeverityError, "certificate_unreadable", advicePush, "the certificate held of it cannot be read: %v", err)
	default:
		// A slash at the end has a finding of its own.
		if err := c.CheckWwwroot(strings.TrimRight(p.Wwwroot, "/")); err != nil {
			note(SeverityWarning, "certificate_other_name", "compare the wwwroot of the row with the name the peer gives itself; if that is right, "+advicePush,
				"the certificate held of it is another site's: %v", err)
		}
		if !c.NotAfter.After(d.Now()) {
			note(SeverityWarning, "certificate_expired", advicePush+"; its sealed call also makes a peer renew that has not done so",
				"the certificate held of it expired on %s", FormatTime(c.NotAfter))
		}
	}
}

// isOwn tells a row that names the own site in another way.
func (d *diagnosis) isOwn(p Peer) bool {
	return envelope.SameWwwroot(p.Wwwroot, d.tenant.Wwwroot)
}

// callable tells whether there is anybody to call.
func callable(p Peer) bool {
	u, err := url.Parse(p.Wwwroot)
	return err == nil && slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) && u.Host != ""
}

// certificateOf is what we hold of a peer, nil where that cannot be read.
func certificateOf(p Peer) *envelope.Certificate {
	c, err := envelope.ParseCertificate(p.Certificate)
	if err != nil {
		return nil
	}
	return c
}

// failing is the finding on a sealed call that failed.
func failing(p Peer, f *Failure) Finding {
	severity, what := SeverityError, "does not answer under the stored key"
	if f.Pending {
		severity, what = SeverityWarning, "was not reached"
	}
	return newFinding(severity, "peer_"+string(f.Reason), p.Wwwroot, f.Reason.NextStep(false), "%s: %s", what, cmp.Or(f.Detail, string(f.Reason)))
}
