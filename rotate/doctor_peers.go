package rotate

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

// NextWwwroot is for a row whose wwwroot is wrong. It keeps the row: a peer that is added again gets
// another one, and those who came from it become strangers.
const NextWwwroot = "correct the wwwroot in this site's row of the peer (mnet_host)" + keepRow

const keepRow = ", and do not delete the row while users refer to it (user.mnethostid)"

// nextOneRow is for several rows of one site.
const nextOneRow = "keep the row that users refer to (user.mnethostid), with deleted = 0 and the wwwroot as its site writes it. Give each other one an unused wwwroot by SQL, and set deleted = 1 there: Moodle also finds a deleted row by its wwwroot. " + leaveOther

// leaveOther is for databases that do not tell such wwwroots apart (MySQL, MariaDB).
const leaveOther = "But leave a row of another site, whose wwwroot differs in capitals alone: one of the two sites needs another wwwroot"

// peerRows examines what the database says of the peers, without a call.
func (d *diagnosis) peerRows() {
	spellings := map[string][]string{}
	var unverified, plain []string
	if d.tenant.checkLocalRow() == nil {
		for _, id := range d.tenant.Namesakes {
			d.find(SeverityWarning, "peer_is_own_site", d.tenant.Wwwroot, nextNamesake(d.tenant.Wwwroot, id),
				"another row of mnet_host has the wwwroot of this site itself", "row %d, beside row %d (mnet_localhost_id)", id, d.tenant.Own.ID)
		}
	}
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
	for _, wwwroot := range d.tenant.Hidden {
		if folded := envelope.FoldWwwroot(wwwroot); len(spellings[folded]) < 2 { // the other row is deleted
			spellings[folded] = append(spellings[folded], wwwroot+" (deleted)")
		}
	}
	for _, p := range d.tenant.Peers {
		if rows := spellings[envelope.FoldWwwroot(p.Wwwroot)]; len(rows) > 1 {
			severity := SeverityWarning
			if slices.Contains(d.tenant.Hidden, p.Wwwroot) { // no link is proven then
				severity = SeverityError
			}
			d.find(severity, "peer_duplicate", p.Wwwroot, nextOneRow,
				"several rows are of one site", "%s", strings.Join(rows, ", "))
			delete(spellings, envelope.FoldWwwroot(p.Wwwroot))
		}
	}
	d.several(SeverityWarning, "tls_unverified", unverified, "in Moodle (Networking, peers), set the verification of these peers to host and certificate: today nothing proves who answers a keyswap",
		"the TLS certificate of these peers is not verified (sslverification 0)")
	d.several(SeverityInfo, "http", plain, "move these peers to https when you can: anybody on the way can answer a keyswap over http",
		"these peers have no TLS at all")
}

// several reports in one finding what is true of some peers: operators do not read two hundred
// lines of one kind.
func (d *diagnosis) several(s Severity, code string, peers []string, next, message string) {
	if len(peers) == 0 {
		return
	}
	detail := fmt.Sprintf("%d of %d peers", len(peers), len(d.tenant.Peers))
	if len(d.tenant.Peers) == 1 {
		detail = "1 of 1 peer"
	}
	f := newFinding(s, "peers_"+code, d.tenant.Wwwroot, next, message, "%s", detail)
	f.Peers = peers
	d.findings = append(d.findings, f)
}

func (d *diagnosis) peerRow(p Peer) {
	note := func(s Severity, code, next, message, detail string, args ...any) {
		d.find(s, "peer_"+code, p.Wwwroot, next, message, detail, args...)
	}
	if !callable(p) {
		note(SeverityError, "wwwroot", NextWwwroot, "the wwwroot is not an http or https address", "")
		return
	}
	twin := slices.ContainsFunc(d.tenant.Peers, func(o Peer) bool { return o.ID != p.ID && o.Wwwroot == strings.TrimRight(p.Wwwroot, "/") })
	switch {
	case NotFound(p.Wwwroot) && twin:
		note(SeverityWarning, "trailing_slash", nextOneRow,
			"the wwwroot ends with a slash, and another row has the peer's own name: the peer's calls find only that one", "")
	case NotFound(p.Wwwroot):
		note(SeverityError, "trailing_slash", NextWwwroot,
			"the wwwroot ends with a slash. The peer's own name has none, so its calls find no row here", "")
	}
	switch {
	case p.ServerURL == "":
		note(SeverityError, "application", "in Moodle (Networking, peers), choose an application for the peer",
			"the application of the row has no XML-RPC server to call", "application %q", p.Application)
	case p.Application != "moodle" && p.Application != "mahara":
		note(SeverityWarning, "application", "choose Moodle or Mahara for the peer, if it is one: other applications were never tested",
			"the application of the row is not known", "application %q", p.Application)
	}
	d.peerCertificate(p, note)
}

func (d *diagnosis) peerCertificate(p Peer, note func(s Severity, code, next, message, detail string, args ...any)) {
	c, err := envelope.ParseCertificate(p.Certificate)
	switch {
	case p.Certificate == "":
		note(SeverityError, "certificate_missing", nextPush, "this site has no certificate of the peer, so it cannot call the peer", "")
	case err != nil:
		note(SeverityError, "certificate_unreadable", nextPush, "the certificate of the peer cannot be read", "%v", err)
	default:
		// A slash at the end has its own finding.
		if err := c.CheckWwwroot(strings.TrimRight(p.Wwwroot, "/")); err != nil {
			note(SeverityWarning, "certificate_other_name", "compare the wwwroot of the row with the name that the peer gives itself. If they are equal, "+nextPush,
				"the stored certificate of the peer belongs to another site", "%v", err)
		}
		if !c.NotAfter.After(d.Now()) {
			note(SeverityWarning, "certificate_expired", "a peer that did not renew its own key yet does so when it is called; "+nextPush,
				"the stored certificate of the peer has expired", "on %s", FormatTime(c.NotAfter))
		}
	}
}

// callable reports whether the wwwroot can be called.
func callable(p Peer) bool {
	u, err := url.Parse(p.Wwwroot)
	return err == nil && slices.Contains([]string{"http", "https"}, strings.ToLower(u.Scheme)) && u.Host != ""
}

// certificateOf is the stored certificate of a peer, nil if it cannot be read.
func certificateOf(p Peer) *envelope.Certificate {
	c, err := envelope.ParseCertificate(p.Certificate)
	if err != nil {
		return nil
	}
	return c
}

// failing is the finding on a sealed call that failed.
func failing(p Peer, f *Failure, local SelfCheck) Finding {
	severity, what := SeverityError, "the peer does not prove that it uses this site's key"
	if f.Pending {
		severity, what = SeverityWarning, "the link to the peer is not proven"
		if f.Reason.Row().Pending && f.Reason != ReasonInterrupted {
			what = "the peer could not be reached"
		}
	}
	return newFinding(severity, "peer_"+string(f.Reason), p.Wwwroot, cmp.Or(f.Next, local.nextForPeer(f.Reason, false)), what+" ("+string(f.Reason)+")", "%s", f.Detail)
}
