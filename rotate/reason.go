package rotate

import (
	"fmt"
	"strings"
)

// Reason is the stable code for why a link is not proven. Besides the constants there
// are those of [HTTPReason] and [FaultReason].
type Reason string

// What a Network finds.
const (
	ReasonDNS            Reason = "dns"             // the host name does not resolve
	ReasonConnect        Reason = "connect"         // no connection, or it broke before the answer was whole
	ReasonTLS            Reason = "tls"             // handshake refused, or the certificate is not what the row demands
	ReasonTimeout        Reason = "timeout"         // no answer within the limit of one call
	ReasonInterrupted    Reason = "interrupted"     // a signal or the deadline of the run ended the work on it
	ReasonNotXMLRPC      Reason = "not_xmlrpc"      // answered, and not in XML-RPC: HTML, an unknown virtual host, no HTTP
	ReasonStrayOutput    Reason = "stray_output"    // XML-RPC with something before or behind it: Moodle cannot read it
	ReasonTooLarge       Reason = "too_large"       // answered more than 1 MiB
	ReasonUnknownToPeer  Reason = "unknown_to_peer" // it has no row of us
	ReasonMNetOff        Reason = "mnet_off"        // its networking is switched off
	ReasonNoRC4          Reason = "no_rc4"          // it opens no call sealed to any certificate that it shows
	ReasonSeveralCaches  Reason = "several_caches"  // it opens some calls and not others: its web servers use different keys
	ReasonBadCertificate Reason = "bad_certificate" // it answered none, or one that is not its own
	ReasonBadSignature   Reason = "bad_signature"   // its answer is not signed by the certificate it should be
	ReasonCannotOpen     Reason = "cannot_open"     // its answer is sealed to another certificate than our current one
	ReasonClock          Reason = "clock"           // its answer is stamped too far ahead of our clock, or a day behind it
)

// What this package itself finds.
const (
	ReasonDatabase  Reason = "database"   // the rows on both sides, read back, together with the proofs of both web servers
	ReasonNotStored Reason = "not_stored" // the certificate that it uses could not be written into its row
	ReasonOwnSite   Reason = "own_site"   // this side of the link is not proven
)

// HTTPReason is the reason of an answer with another status than 200.
func HTTPReason(status int) Reason { return Reason(fmt.Sprintf("http_%d", status)) }

// FaultReason is the reason of an MNet fault (mnet/xmlrpc/serverlib.php).
func FaultReason(code int) Reason { return Reason(fmt.Sprintf("fault_%d", code)) }

// IsServerError tells of an answer with a status of 500 and above.
func (r Reason) IsServerError() bool { return strings.HasPrefix(string(r), "http_5") }

// Pending says that the peer was not reached, so that a later run may succeed with
// nothing changed. Everything else is a refusal.
func (r Reason) Pending() bool {
	switch r {
	case ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonInterrupted:
		return true
	}
	return r.IsServerError()
}

// nextSteps are what an operator does about a reason of a failure, whoever has
// failed: the local site or a peer.
var nextSteps = map[Reason]string{
	ReasonDatabase:       "see why the peer's database could not be read or written, then run renew_mnetkeys push",
	ReasonDNS:            "check the wwwroot; if the site is gone, delete the peer in Moodle",
	ReasonTLS:            "check the site's TLS certificate, or give its authority with --ca-file",
	ReasonNotXMLRPC:      "something else answers at the wwwroot: check the address and the web server there",
	ReasonTooLarge:       "something else answers at the wwwroot: check the address and the web server there",
	ReasonUnknownToPeer:  "have the peer's administrator add this site's wwwroot exactly as it is written here",
	ReasonMNetOff:        "have the peer's administrator enable MNet; the peer then fetches the key by itself",
	ReasonNoRC4:          "have the peer's administrator " + adviseRC4,
	ReasonBadCertificate: "compare the certificate in the peer's settings with the one it shows, and fetch it anew",
	ReasonBadSignature:   "have the peer's administrator renew its key: it signs with another than that of its certificate",
	ReasonClock:          "set the clocks of both machines by NTP: an answer that is stamped ahead, or a day in the past, is refused",
	ReasonStrayOutput:    "have that site print nothing around its answers: switch off display_errors and debugdisplay, and look for an echo or a blank line outside <?php in its config.php",
	ReasonSeveralCaches:  "run renew_mnetkeys push on that site, which saves what only a cache has; then purge Moodle's caches on every web server of it, restart php-fpm where APCu is used, and push again",
	ReasonOwnSite:        "prove this side of the link first: renew_mnetkeys doctor says what is wrong with the local site; then run renew_mnetkeys push",
	ReasonNotStored:      "see why the database did not take this peer's certificate, then run renew_mnetkeys push",
	ReasonInterrupted:    "run renew_mnetkeys push. The run ended before this peer was proven, and no new key is needed",
	"fault_710": "on the peer's server, fetch this site's /mnet/publickey.php: the peer has an older certificate of this site and must call back for the current one. " +
		"If that fails, fix its name server, a firewall, or the TLS certificate of this site",
	"fault_0":    "look into the peer's log: it could not handle the call",
	"fault_17":   "look into the peer's log: it could not handle the call",
	"fault_6004": "have the peer's administrator delete and fetch this site's key: the peer has another certificate of it",
	"fault_6100": "have the peer's administrator delete and fetch this site's key: the forced mode of Mahara is stuck at an expired one",
	"fault_7021": "look for what changes the call between here and the peer: the peer takes it for a plain one",
}

// nextStepsOfPush have two forms: until a push was made, that may be the cure; after
// it, the peer's administrator has to act.
var nextStepsOfPush = map[Reason][2]string{
	ReasonCannotOpen: {"run renew_mnetkeys push. If the peer still refuses, its administrator must delete and fetch this site's key",
		"have the peer's administrator delete and fetch this site's key: the key was sent, and the peer still uses an older certificate of this site"},
	"fault_7023": {"run renew_mnetkeys push, which stores the certificate that the peer proves to use",
		"fetch the peer's certificate anew in Moodle's peer settings: the peer has no key to the one that this site has"},
	"fault_7025": {"run renew_mnetkeys push, which stores the certificate that the peer proves to use",
		"fetch the peer's certificate anew in Moodle's peer settings: the peer has no key to the one that this site has"},
}

// NextStep is what to do about the reason, never "". pushed says that the key has just
// been sent to the peer.
func (r Reason) NextStep(pushed bool) string {
	if next, ok := nextSteps[r]; ok {
		return next
	}
	if forms, ok := nextStepsOfPush[r]; ok {
		if pushed {
			return forms[1]
		}
		return forms[0]
	}
	switch {
	case r == ReasonConnect, r == ReasonTimeout, r.IsServerError():
		return "check whether the site is down. If it is back, nothing else is needed: it fetches the key at its first call, or at the next renew_mnetkeys push"
	case strings.HasPrefix(string(r), "http_3"):
		return "compare the wwwroot with the address that the site uses now: redirects are not followed, and Moodle follows none"
	case r == "http_401", r == "http_403":
		return "let this machine and all peers through to the XML-RPC server of the site: something in front asks for a login, or filters addresses"
	case strings.HasPrefix(string(r), "http_"):
		return "check the wwwroot and the web server there: there is no XML-RPC server behind it"
	}
	return "look into the log of the site that answered"
}

// NextStep is what to do about one peer of the report, "" where there is nothing to
// do. It fits what the run has seen: a peer that could not fetch the key from a
// local site that did not answer has no fault of its own.
func (r *TenantReport) NextStep(p PeerReport, pushed bool) string {
	switch {
	case p.Outcome.Proven() || p.Outcome == Skipped || p.Outcome == Ignored:
		return ""
	case r.SelfCheck == SelfUnreachable && p.Reason == "fault_710":
		return "bring the local site back, which did not answer: the peer could not fetch the key from it. Then run renew_mnetkeys push"
	}
	return p.Reason.NextStep(pushed)
}

// Failure is why a peer did not do what was asked. It is the one error type of a
// Network.
type Failure struct {
	Reason  Reason
	Detail  string // for people: one line of printable text, free of secrets
	Err     error  // the cause, may be nil
	Pending bool   // it was not reached, as opposed to: it answered otherwise
	Next    string // what to do about it, "" as Reason.NextStep says
	// NoRoute says that no address was tried over the network: this machine has no
	// route to any, or does not speak their family. A neighbour that is switched off
	// is not among them.
	NoRoute bool
	Refused bool // nobody listens at the last address that was tried
	// Other is the wwwroot of another site, as it says, in whose name a sealed answer
	// that verifies, or a certificate, came; "" for none. The path counts to the letter.
	Other      string
	RetryAfter string // the answer's header field of that name (RFC 9110 §10.2.3), "" for none
	Suppressed bool   // nothing was sent, because of what an earlier call had come to
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

func (f *Failure) Unwrap() error { return f.Err }
