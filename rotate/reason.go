package rotate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reason is the stable code for why a link is not proven. A new one needs a constant and a row of
// [Reasons], and nothing else in this package: test/reasons_test.go then names the documents that
// lack it.
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
	ReasonHTTP429        Reason = "http_429"
	ReasonHTTP503        Reason = "http_503"
	ReasonNotXMLRPC      Reason = "not_xmlrpc"
	ReasonStrayOutput    Reason = "stray_output"
	ReasonTooLarge       Reason = "too_large"
	ReasonUnknownToPeer  Reason = "unknown_to_peer"
	ReasonTwoRows        Reason = "two_rows"
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
	ReasonLocalSite      Reason = "own_site"
)

// ReasonRow is everything that is known about a reason.
type ReasonRow struct {
	Code  Reason
	Means string // what is wrong; "it" is the site that was called
	// Next is what an operator does about it, whether the local site or a peer has failed. After
	// the key was sent to the peer, NextPushed replaces it, and then the peer's administrator has
	// to act; "" if the push makes no difference.
	Next, NextPushed string
	NextLocal        string // replaces Next for the local site; "" if Next fits it too
	Faults           []int  // the MNet faults with this meaning, instead of fault_N

	// Pending says that the peer was not reached, so that a later run may succeed without any
	// change. Every other reason is a refusal.
	Pending    bool
	Unanswered bool // no answer came back, or not a complete one
	// SettlesSoon is for refusals between two sites that renew at the same moment: each calls the
	// other while its own web server is still changing over. A second later the link works.
	SettlesSoon bool
	Outdated    bool // it has another certificate of this site than the current one, or none
	// LocalSite is what the reason says about the local site, if that was called: it does not use
	// the stored key (SelfFailed), or may have no RC4 (SelfNoRC4). "" says nothing about keys.
	LocalSite SelfCheck
	// ShowsLocal says what the local site showed then, if that was no key.
	ShowsLocal string
}

// Next steps that several reasons share.
const (
	nextIfDown        = "check whether the site is down. When a peer is back, it fetches the new key by itself, if the key that it knows is still in the key history"
	nextLater         = "nothing needs to be changed: wait an hour, then run: renew_mnetkeys push"
	nextSomethingElse = "another service answers at the wwwroot: check the address and the web server there"
	nextOtherService  = "another service answers there: check the address (the wwwroot, or --node) and the web server"
	nextBehindLogin   = "a login or a filter protects the site: allow this machine and all peers to reach its XML-RPC server"
	nextPeersLog      = "read the peer's log: the peer could not handle the call"
	nextLog           = "read the log of the site that answered"
	thenPush          = " Then run: renew_mnetkeys push"
	nextPush          = "a push asks for the certificate that the peer uses, and stores it. Run: renew_mnetkeys push"
	nextFetchPeersKey = "fetch the peer's certificate again in Moodle's peer settings: the peer has no key for the one that this site has"
)

// Next steps for a Moodle that answers a call with nothing, before and after a keyswap: it may have
// no certificate of this site, or have failed otherwise.
const (
	NextIfNoneStored  = "a push sends this site's key, in case the peer has none. If it has one, read the peer's log. Run: renew_mnetkeys push"
	NextIfNoneFetched = "if the peer has no key of this site, ask its administrator to fetch it; otherwise read the peer's log"
)

// Reasons is the table of the reasons. Nothing writes to it. The faults are those of Moodle's
// mnet/xmlrpc/server.php and serverlib.php, and of Mahara's api/xmlrpc.
var Reasons = []ReasonRow{
	{Code: ReasonDNS, Means: "the host name does not resolve",
		Pending: true, Unanswered: true,
		Next: "check the wwwroot. If the site has a new address, keep the peer, which its users refer to: see docs/move.md. If the site is gone for good, delete the peer in Moodle"},
	{Code: ReasonConnect, Means: "the connection failed, or broke before the answer was complete",
		Pending: true, Unanswered: true,
		Next: nextIfDown},
	{Code: ReasonTLS, Means: "the TLS handshake failed, or the TLS certificate does not match the peer's settings",
		Pending: true,
		Next:    "check the site's TLS certificate, or name its certificate authority with --ca-file"},
	{Code: ReasonTimeout, Means: "no answer within the limit of one call",
		Pending: true, Unanswered: true,
		Next: "if the site is only slow, give a longer --timeout. Otherwise " + nextIfDown},
	{Code: ReasonInterrupted, Means: "a signal or the deadline ended the run first",
		Pending: true, Unanswered: true,
		Next: "the run ended before this peer was proven. No new key is needed. To finish, run: renew_mnetkeys push"},
	{Code: ReasonHTTP401, Means: "the web server asks for a login",
		Next: nextBehindLogin, NextLocal: nextBehindLogin},
	{Code: ReasonHTTP403, Means: "the web server refuses the call",
		Next: nextBehindLogin, NextLocal: nextBehindLogin},
	{Code: ReasonHTTP429, Means: "the web server, or a filter in front of it, accepts no more calls for now",
		Pending:   true,
		Next:      "if this happens again, lower --concurrency, or ask for this machine to be left out of the limit. Otherwise wait an hour, then run: renew_mnetkeys push",
		NextLocal: "let the web server, or the filter in front of it, accept more calls from this machine"},
	{Code: ReasonHTTP503, Means: "it is in maintenance mode, or its web server is overloaded",
		Pending: true,
		Next:    nextLater, NextLocal: "wait until this site's web server answers calls again"},
	{Code: ReasonNotXMLRPC, Means: "the answer is not XML-RPC: HTML, an unknown virtual host, or not even HTTP",
		Next: nextSomethingElse, NextLocal: nextOtherService},
	{Code: ReasonStrayOutput, Means: "there is other output before or after the XML, so Moodle cannot read the answer",
		Next:      "on that site, switch off display_errors in PHP and debugdisplay in Moodle, and remove any echo or blank line outside <?php from config.php",
		NextLocal: "the web server must print nothing around its answers: switch off display_errors in PHP and debugdisplay in Moodle, and look for an echo or a blank line outside <?php in config.php"},
	{Code: ReasonTooLarge, Means: "the answer is longer than 1 MiB",
		Next: nextSomethingElse, NextLocal: nextOtherService},
	{Code: ReasonUnknownToPeer, Means: "this site is not one of its hosts",
		Faults: []int{7020, 6003}, LocalSite: SelfFailed, ShowsLocal: "it does not know this wwwroot, so it is not known which key it uses",
		Next: "ask the peer's administrator to add this site, with its wwwroot written exactly as this tool prints it. If the peer has this site under an old wwwroot, the administrator must replace that one instead: users belong to the old entry"},
	{Code: ReasonTwoRows, Means: "it has two rows of this site, or this site has two of it: one with the old wwwroot and one with the new, or two with one wwwroot, of which one may be deleted",
		Next: "in the database with the two rows, " + nextOneRow + ". Then run: renew_mnetkeys …"},
	{Code: ReasonMNetOff, Means: "its MNet is switched off",
		Faults:    []int{704, 6012},
		Next:      "ask the peer's administrator to enable MNet; the peer then fetches the key by itself",
		NextLocal: "the web server of this site has an old setting in its cache: a push purges the cache and tests again. Run: renew_mnetkeys push"},
	{Code: ReasonNoRC4, Means: "its OpenSSL cannot do RC4, so it cannot open any sealed call",
		LocalSite: SelfNoRC4,
		Next:      "ask the peer's administrator to enable OpenSSL's legacy provider for PHP (OPENSSL_CONF): without it, MNet cannot work there",
		NextLocal: "enable OpenSSL's legacy provider for the web server's PHP (set OPENSSL_CONF to a file that activates the default and legacy providers), then restart PHP"},
	{Code: ReasonSeveralCaches, Means: "its web servers use different keys: some open the call and others do not",
		Next:      "ask the peer's administrator not to purge any cache yet, since a web server may have the only copy of a key, and to push on each web server, with a --node=HOST[:PORT] for each: this saves such a key. Then let a --cache-hook purge the cache of each",
		NextLocal: advisePushEach},
	{Code: ReasonBadCertificate, Means: "it answered no certificate, or one that is not its own, or this site has no readable certificate of it; if it is pending: it is a site of the same array whose key has expired",
		LocalSite: SelfFailed,
		Next:      "compare the certificate in the peer's settings with the one that the peer shows, and fetch it again"},
	{Code: ReasonBadSignature, Means: "its answer is not signed with the key of its certificate",
		SettlesSoon: true, LocalSite: SelfFailed,
		Next: "ask the peer's administrator to renew its key: the peer signs with a key that does not match its certificate"},
	{Code: ReasonCannotOpen, Means: "its answer is sealed with another certificate of this site than the current one, or it has none to seal an answer with",
		SettlesSoon: true, Outdated: true, LocalSite: SelfFailed,
		Next:       "the peer does not have the current certificate of this site. A push sends it; if that does not help, ask the peer's administrator to delete this site's key and to fetch it again. Run: renew_mnetkeys push",
		NextPushed: "ask the peer's administrator to delete this site's key and to fetch it again: the key was sent, but the peer does not use it"},
	{Code: ReasonClock, Means: "its clock is ahead of this machine's clock, or a day behind it",
		LocalSite: SelfFailed, ShowsLocal: "its clock and the clock of this machine differ, so its answer proves nothing about its key",
		NextLocal: "set the clocks of this machine and of the web server by NTP: peers refuse answers from the future, too",
		Next:      "set the clocks of both machines by NTP: MNet refuses answers from the future, and this tool refuses answers older than a day"},
	{Code: ReasonFault0, Means: "it could not handle the call",
		Next: nextPeersLog, NextLocal: nextLog},
	{Code: ReasonFault17, Means: "it could not handle the call",
		Next: nextPeersLog, NextLocal: nextLog},
	{Code: ReasonFault710, Means: "it still has an old certificate of this site and could not download the new one",
		SettlesSoon: true, Outdated: true, LocalSite: SelfFailed,
		Next: "correct DNS, firewall or TLS until the peer's server can download the key from this site. To test this, on the peer's server run: curl WWWROOT/mnet/publickey.php"},
	{Code: ReasonFault6001, Means: "it could not read the XML of the call"},
	{Code: ReasonFault6004, Means: "it has a different certificate of this site",
		Outdated: true,
		Next:     "ask the peer's administrator to delete this site's key and to fetch it again: the peer has a different certificate of this site"},
	{Code: ReasonFault6005, Means: "it accepts only sealed calls"},
	{Code: ReasonFault6010, Means: "it has no such function"},
	{Code: ReasonFault6013, Means: "it confuses this site with another host"},
	{Code: ReasonFault6100, Means: "it accepts a forced key only while its certificate of this site has not expired",
		Next: "ask the peer's administrator to delete this site's key and to fetch it again: Mahara does not replace an expired key by itself"},
	{Code: ReasonFault7012, Means: "it has no such function"},
	{Code: ReasonFault7018, Means: "it has no such function"},
	{Code: ReasonFault7021, Means: "it accepts only sealed calls",
		Next: "find out what changes the call on its way to the peer: the peer received it as a plain call", NextLocal: nextLog},
	{Code: ReasonFault7023, Means: "none of its keys can open the call",
		SettlesSoon: true, LocalSite: SelfNoRC4,
		Next:       nextPush,
		NextPushed: nextFetchPeersKey},
	{Code: ReasonFault7025, Means: "it uses a different key from the certificate that this site has",
		SettlesSoon: true, LocalSite: SelfFailed,
		Next:       nextPush,
		NextPushed: nextFetchPeersKey},
	{Code: ReasonDatabase, Means: "the link between two tenants was judged by both databases, not by a call; if it is not proven, one of them could not be read or written",
		Next: "find out why the database that the report names could not be read or written." + thenPush},
	{Code: ReasonNotStored, Means: "its certificate could not be stored in this site's database",
		Next: "find out why the database did not accept this peer's certificate. Then run: renew_mnetkeys push"},
	{Code: ReasonLocalSite, Means: "this side of the link is not proven",
		Next: "this side of the link must be proven first. To see what is wrong with the local site, run: renew_mnetkeys doctor"},
}

// families are the rows for codes that are not in [Reasons], by their prefix: the first that
// matches.
var families = []ReasonRow{
	{Code: "http_3", Means: "it redirects to another address",
		NextLocal: "if this site has moved there, write its new wwwroot into config.php (of a tenant of VMoodle: into the register), then follow docs/move.md. If it has not, let its web server answer without a redirect",
		Next:      "if the peer has moved and is a site of this array, finish its move (docs/move.md), which renames its rows at all sites. If it is not one, write its new wwwroot into its row in Moodle's table mnet_host, and do not add it as a new peer: users belong to the old row. Neither this tool nor Moodle follows redirects"},
	{Code: "http_5", Means: "its web server failed", Pending: true,
		Next: nextIfDown, NextLocal: "the log of this site's web server says why it failed"},
	{Code: "http_", Means: "the web server did not answer with status 200",
		Next: "check the wwwroot and the web server there: no XML-RPC server answers", NextLocal: nextOtherService},
	{Code: "", Means: "it answered with a fault"},
}

// HTTPReason is the reason for an answer with another status than 200.
func HTTPReason(status int) Reason { return Reason(fmt.Sprintf("http_%d", status)) }

// FaultReason is the reason for an MNet fault.
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
	return families[i] // the last row matches everything
}

// isRedirect reports whether the answer was a redirect.
func (r Reason) isRedirect() bool { return strings.HasPrefix(string(r), "http_3") }

// isClientError reports an answer with an HTTP status of 4xx.
func (r Reason) isClientError() bool { return strings.HasPrefix(string(r), "http_4") }

// IsServerError reports an answer with a status of 500 or above.
func (r Reason) IsServerError() bool { return strings.HasPrefix(string(r), "http_5") }

// NextStep is what to do about the reason, never "". pushed says that the key has just been sent to
// the peer.
func (r Reason) NextStep(pushed bool) string {
	row := r.Row()
	if pushed && row.NextPushed != "" {
		return row.NextPushed
	}
	return cmp.Or(row.Next, nextLog)
}

// NextAfter is the next step for a site that has said when it accepts calls again; "" if the reason
// is not one that time cures.
func (r Reason) NextAfter(at time.Time) string {
	if r != ReasonHTTP429 && r != ReasonHTTP503 {
		return ""
	}
	return "nothing needs to be changed: wait until " + FormatTime(at) + ", then run: renew_mnetkeys push"
}

// NextStep is what to do about one peer of the report, "" if there is nothing to do.
func (r *TenantReport) NextStep(p PeerReport, pushed bool) string {
	switch {
	case p.Outcome.Proven() || p.Outcome == Skipped || p.Outcome == Ignored:
		return ""
	case r.SelfCheck == SelfSkipped && p.Reason == ReasonLocalSite:
		return "let the local site be checked: this proves it and then the link. Run: renew_mnetkeys push --self-check=auto"
	case r.SelfCheck == SelfFailed && p.Reason == ReasonLocalSite && cmp.Or(r.Hint, HintOf(r.Err)) != "": // one state has one next step
		return cmp.Or(r.Hint, HintOf(r.Err))
	case !pushed && p.outdated() && r.restoredBackup(): // whoever has a newer key than this site needs one that is newer still
		return nextRestored
	case p.Reason == ReasonUnknownToPeer && r.movedFrom != "" && r.Moved == nil:
		return nextMoved(r.movedFrom)
	case p.Reason == ReasonUnknownToPeer && p.noRow:
		return nextNoRow(p.Wwwroot)
	}
	return r.SelfCheck.nextForPeer(p.Reason, pushed)
}

// restoredBackup reports whether a peer was seen to have a newer certificate of this site.
func (r *TenantReport) restoredBackup() bool {
	return slices.ContainsFunc(r.Peers, func(p PeerReport) bool { return p.Next == nextRestored })
}

// nextMoved is the next step for a peer that does not know a site whose old wwwroot was from.
func nextMoved(from string) string {
	return "if this site is a copy of " + from + ", ask the peer's administrator to add it. If it has moved from there, the peer may have the old wwwroot: do not add the site as a new peer. To finish the move, run: renew_mnetkeys move --from=" + shellWord(from)
}

// nextForPeer takes into account what the run has seen of the local site: if that does not answer,
// or cannot do RC4, a peer that could not fetch the key from it is not at fault.
func (c SelfCheck) nextForPeer(reason Reason, pushed bool) string {
	switch {
	case reason == ReasonFault710 && c == SelfUnreachable:
		return "the local site did not answer, so the peer could not fetch the key from it. Bring the local site back, then run: renew_mnetkeys push"
	case reason == ReasonFault710 && c == SelfNoRC4:
		return "begin with the local site: " + c.NextStep() + ". Then run: renew_mnetkeys push"
	}
	return reason.NextStep(pushed)
}
