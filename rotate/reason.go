package rotate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Reason is the stable code for why a link is not proven. A new one needs a constant and a
// row of [Reasons], and nothing else in this package: test/reasons_test.go then names the
// documents that lack it.
type Reason string

// The reasons that code decides on, or that have a next step of their own.
const (
	ReasonDNS            Reason = "dns"
	ReasonConnect        Reason = "connect"
	ReasonTLS            Reason = "tls"
	ReasonTimeout        Reason = "timeout"
	ReasonInterrupted    Reason = "interrupted"
	ReasonHTTP401        Reason = "http_401"
	ReasonHTTP403        Reason = "http_403"
	ReasonNotXMLRPC      Reason = "not_xmlrpc"
	ReasonStrayOutput    Reason = "stray_output"
	ReasonTooLarge       Reason = "too_large"
	ReasonUnknownToPeer  Reason = "unknown_to_peer"
	ReasonMNetOff        Reason = "mnet_off"
	ReasonNoRC4          Reason = "no_rc4"
	ReasonSeveralCaches  Reason = "several_caches"
	ReasonBadCertificate Reason = "bad_certificate"
	ReasonBadSignature   Reason = "bad_signature"
	ReasonCannotOpen     Reason = "cannot_open"
	ReasonClock          Reason = "clock"
	ReasonFault0         Reason = "fault_0"
	ReasonFault17        Reason = "fault_17"
	ReasonFault710       Reason = "fault_710"
	ReasonFault6001      Reason = "fault_6001"
	ReasonFault6004      Reason = "fault_6004"
	ReasonFault6005      Reason = "fault_6005"
	ReasonFault6010      Reason = "fault_6010"
	ReasonFault6013      Reason = "fault_6013"
	ReasonFault6100      Reason = "fault_6100"
	ReasonFault7012      Reason = "fault_7012"
	ReasonFault7018      Reason = "fault_7018"
	ReasonFault7021      Reason = "fault_7021"
	ReasonFault7023      Reason = "fault_7023"
	ReasonFault7025      Reason = "fault_7025"
	ReasonDatabase       Reason = "database"
	ReasonNotStored      Reason = "not_stored"
	ReasonOwnSite        Reason = "own_site"
)

// ReasonRow is all that is known of a reason.
type ReasonRow struct {
	Code  Reason
	Means string // what is wrong; "it" is the site that was called
	// Next is what an operator does about it, whoever has failed: the local site or a
	// peer. NextPushed takes its place once the key was sent to the peer, and then its
	// administrator has to act; "" if that changes nothing.
	Next, NextPushed string
	NextLocal        string // in place of Next for the local site, "" if it says that too
	Faults           []int  // the MNet faults that mean this, instead of fault_N

	// Pending says that the peer was not reached, so that a later run may succeed with
	// nothing changed. Every other reason is a refusal.
	Pending    bool
	Unanswered bool // nothing came back, or not all of an answer
	// SettlesSoon is for refusals that two sites get which renew at the same moment: each
	// calls the other while its own web server still changes over. A second later the
	// link is in order.
	SettlesSoon bool
	Outdated    bool // it has an older certificate of this site than the current one
	// LocalSite is what the reason says of the local site, when that was called: it does
	// not use the stored key (SelfFailed), or may have no RC4 (SelfNoRC4). "" says nothing
	// of keys.
	LocalSite SelfCheck
}

// Next steps of more than one reason.
const (
	nextIfDown        = "check whether the site is down. When a peer is back, nothing else is needed: it fetches the new key by itself"
	nextSomethingElse = "something else answers at the wwwroot: check the address and the web server there"
	nextBehindLogin   = "let this machine and all peers through to the XML-RPC server of the site: something in front asks for a login, or filters addresses"
	nextPeersLog      = "look into the peer's log: it could not handle the call"
	nextLog           = "look into the log of the site that answered"
	nextPush          = "to store the certificate that the peer uses, run: renew_mnetkeys push"
	nextFetchPeersKey = "fetch the peer's certificate anew in Moodle's peer settings: the peer has no key to the one that this site has"
)

// Reasons is the table of the reasons. Nothing writes to it. The faults are those of
// Moodle's mnet/xmlrpc/server.php and serverlib.php, and of Mahara's api/xmlrpc.
var Reasons = []ReasonRow{
	{Code: ReasonDNS, Means: "the host name does not resolve",
		Pending: true, Unanswered: true,
		Next: "check the wwwroot; if the site is gone, delete the peer in Moodle"},
	{Code: ReasonConnect, Means: "no connection, or it broke before the answer was complete",
		Pending: true, Unanswered: true,
		Next: nextIfDown},
	{Code: ReasonTLS, Means: "the TLS handshake failed, or the certificate is not what the row demands",
		Pending: true,
		Next:    "check the site's TLS certificate, or give its authority with --ca-file"},
	{Code: ReasonTimeout, Means: "no answer within the limit of one call",
		Pending: true, Unanswered: true,
		Next: nextIfDown},
	{Code: ReasonInterrupted, Means: "a signal or the deadline ended the run first",
		Pending: true, Unanswered: true,
		Next: "the run ended before this peer was proven. No new key is needed. To finish, run: renew_mnetkeys push"},
	{Code: ReasonHTTP401, Means: "something in front of it asks for a login",
		Next: nextBehindLogin},
	{Code: ReasonHTTP403, Means: "something in front of it refuses the call",
		Next: nextBehindLogin},
	{Code: ReasonNotXMLRPC, Means: "the answer is not XML-RPC: HTML, an unknown virtual host, or not even HTTP",
		Next: nextSomethingElse},
	{Code: ReasonStrayOutput, Means: "something stands before or after the XML of its answer, so that Moodle cannot read it",
		Next: "have that site print nothing around its answers: switch off display_errors and debugdisplay, and look for an echo or a blank line outside <?php in its config.php"},
	{Code: ReasonTooLarge, Means: "the answer is longer than 1 MiB",
		Next: nextSomethingElse},
	{Code: ReasonUnknownToPeer, Means: "it has no host with our wwwroot",
		Faults: []int{7020, 6003}, LocalSite: SelfFailed,
		Next: "have the peer's administrator add this site's wwwroot exactly as it is written here"},
	{Code: ReasonMNetOff, Means: "its MNet is switched off",
		Faults: []int{704, 6012}, LocalSite: SelfFailed,
		Next: "have the peer's administrator enable MNet; the peer then fetches the key by itself"},
	{Code: ReasonNoRC4, Means: "its OpenSSL cannot do RC4, so that it opens no sealed call",
		LocalSite: SelfNoRC4,
		Next:      "have the peer's administrator switch OpenSSL's legacy provider on for its PHP (OPENSSL_CONF): it can open no sealed call",
		NextLocal: "switch OpenSSL's legacy provider on for the web server's PHP (OPENSSL_CONF naming a file that activates the default and legacy providers) and restart it"},
	{Code: ReasonSeveralCaches, Means: "its web servers use different keys: one opens the call, another does not",
		Next: "save what only a cache has, by a push on that site. Then purge Moodle's caches on every web server of that site, restart php-fpm if APCu is used, and push again"},
	{Code: ReasonBadCertificate, Means: "it answered no certificate, or one that is not its own",
		LocalSite: SelfFailed,
		Next:      "compare the certificate in the peer's settings with the one it shows, and fetch it anew"},
	{Code: ReasonBadSignature, Means: "its answer is not signed with the key of its certificate",
		SettlesSoon: true, LocalSite: SelfFailed,
		Next: "have the peer's administrator renew its key: it signs with another than that of its certificate"},
	{Code: ReasonCannotOpen, Means: "its answer is sealed to an older certificate of this site",
		SettlesSoon: true, Outdated: true, LocalSite: SelfFailed,
		Next:       "the peer has an older certificate of this site. If it still has it after a push, its administrator must delete this site's key there and fetch it again. First run: renew_mnetkeys push",
		NextPushed: "have the peer's administrator delete and fetch this site's key: the key was sent, and the peer still uses an older certificate of this site"},
	{Code: ReasonClock, Means: "its clock is ahead of that of this machine, or a day behind",
		LocalSite: SelfFailed,
		Next:      "set the clocks of both machines by NTP: an answer that is stamped ahead, or a day in the past, is refused"},
	{Code: ReasonFault0, Means: "it could not handle the call",
		Next: nextPeersLog},
	{Code: ReasonFault17, Means: "it could not handle the call",
		Next: nextPeersLog},
	{Code: ReasonFault710, Means: "our signature does not verify under the certificate that it has, and it could not fetch our new one",
		SettlesSoon: true, Outdated: true, LocalSite: SelfFailed,
		Next: "the peer has an older certificate and could not download the current one from this site. If the command fails, fix DNS, firewall or TLS there. On the peer's server run: curl WWWROOT/mnet/publickey.php"},
	{Code: ReasonFault6001, Means: "it could not read our XML"},
	{Code: ReasonFault6004, Means: "it has another certificate of this site",
		Outdated: true,
		Next:     "have the peer's administrator delete and fetch this site's key: the peer has another certificate of it"},
	{Code: ReasonFault6005, Means: "it takes sealed calls only"},
	{Code: ReasonFault6010, Means: "it has no such function"},
	{Code: ReasonFault6013, Means: "it takes this site for another host"},
	{Code: ReasonFault6100, Means: "it takes a forced key only while the one that it has of this site has not expired",
		Next: "have the peer's administrator delete and fetch this site's key: the forced mode of Mahara is stuck at an expired one"},
	{Code: ReasonFault7012, Means: "it has no such function"},
	{Code: ReasonFault7018, Means: "it has no such function"},
	{Code: ReasonFault7021, Means: "it takes sealed calls only",
		Next: "look for what changes the call between here and the peer: the peer takes it for a plain one"},
	{Code: ReasonFault7023, Means: "none of its keys opens our call",
		SettlesSoon: true, LocalSite: SelfNoRC4,
		Next:       nextPush,
		NextPushed: nextFetchPeersKey},
	{Code: ReasonFault7025, Means: "it uses another key than that of the certificate we have",
		SettlesSoon: true, LocalSite: SelfFailed,
		Next:       nextPush,
		NextPushed: nextFetchPeersKey},
	{Code: ReasonDatabase, Means: "the link of two tenants was judged by the rows of both, not by a call",
		Next: "find out why the peer's database could not be read or written. Then run: renew_mnetkeys push"},
	{Code: ReasonNotStored, Means: "the certificate that it uses could not be written into its row",
		Next: "find out why the database did not accept this peer's certificate. Then run: renew_mnetkeys push"},
	{Code: ReasonOwnSite, Means: "this side of the link is not proven",
		Next: "this side of the link must be proven first. To see what is wrong with the local site, run: renew_mnetkeys doctor"},
}

// families are the rows of codes that [Reasons] lacks, by what they begin with: the first
// that fits.
var families = []ReasonRow{
	{Code: "http_3", Means: "it redirects to another address",
		Next: "compare the wwwroot with the address that the site uses now: redirects are not followed, and Moodle follows none"},
	{Code: "http_5", Means: "it is in maintenance, or its web server has failed", Pending: true,
		Next: nextIfDown},
	{Code: "http_", Means: "another HTTP status than 200",
		Next: "check the wwwroot and the web server there: there is no XML-RPC server behind it"},
	{Code: "", Means: "it answered with a fault"},
}

// HTTPReason is the reason of an answer with another status than 200.
func HTTPReason(status int) Reason { return Reason(fmt.Sprintf("http_%d", status)) }

// FaultReason is the reason of an MNet fault.
func FaultReason(code int) Reason {
	for _, row := range Reasons {
		if slices.Contains(row.Faults, code) {
			return row.Code
		}
	}
	return Reason(fmt.Sprintf("fault_%d", code))
}

// Row is the reason's row of [Reasons], or that of its family.
func (r Reason) Row() ReasonRow {
	for _, row := range Reasons {
		if row.Code == r {
			return row
		}
	}
	i := slices.IndexFunc(families, func(f ReasonRow) bool { return strings.HasPrefix(string(r), string(f.Code)) })
	return families[i] // the last one fits everything
}

// IsServerError tells of an answer with a status of 500 and above.
func (r Reason) IsServerError() bool { return strings.HasPrefix(string(r), "http_5") }

// NextStep is what to do about the reason, never "". pushed says that the key has just
// been sent to the peer.
func (r Reason) NextStep(pushed bool) string {
	row := r.Row()
	if pushed && row.NextPushed != "" {
		return row.NextPushed
	}
	return cmp.Or(row.Next, nextLog)
}

// NextStep is what to do about one peer of the report, "" where there is nothing to
// do. It fits what the run has seen: a peer that could not fetch the key from a
// local site that did not answer has no fault of its own.
func (r *TenantReport) NextStep(p PeerReport, pushed bool) string {
	switch {
	case p.Outcome.Proven() || p.Outcome == Skipped || p.Outcome == Ignored:
		return ""
	case r.SelfCheck == SelfUnreachable && p.Reason == ReasonFault710:
		return "the local site did not answer, so the peer could not fetch the key from it. Bring the local site back, then run: renew_mnetkeys push"
	}
	return p.Reason.NextStep(pushed)
}
