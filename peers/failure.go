package peers

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// The stable reasons of a Failure. Besides them there are "http_<status>" and "fault_<code>".
const (
	ReasonDNS            = "dns"             // the host name does not resolve
	ReasonConnect        = "connect"         // no connection, or it broke before the answer was whole
	ReasonTLS            = "tls"             // handshake refused, or the certificate is not what the row demands
	ReasonTimeout        = "timeout"         // no answer within Options.Timeout
	ReasonInterrupted    = "interrupted"     // the caller's context ended before the answer was whole
	ReasonNotXMLRPC      = "not_xmlrpc"      // answered, and not in XML-RPC: HTML, an unknown virtual host, no HTTP
	ReasonStrayOutput    = "stray_output"    // XML-RPC with something before or behind it: Moodle cannot read it
	ReasonTooLarge       = "too_large"       // answered more than 1 MiB
	ReasonUnknownToPeer  = "unknown_to_peer" // it has no row of us
	ReasonMNetOff        = "mnet_off"        // its networking is switched off
	ReasonNoRC4          = "no_rc4"          // it opens no call sealed to any certificate that it shows
	ReasonSeveralCaches  = "several_caches"  // it opens some calls and not others: its web servers use different keys
	ReasonBadCertificate = "bad_certificate" // it answered none, or one that is not its own
	ReasonBadSignature   = "bad_signature"   // its answer is not signed by the certificate it should be
	ReasonCannotOpen     = "cannot_open"     // its answer is sealed to another certificate than our current one
	ReasonClock          = "clock"           // its answer is stamped too far ahead of our clock, or a day behind it
)

// Failure is the one error type of this package: why a peer could not be told, or could not be proven.
type Failure struct {
	Reason string // stable code, see the constants
	Detail string // for people: one line of printable text, at most 200 characters, no key material
	Err    error  // the cause, may be nil
	// NoRoute says that no address was tried over the network: this machine has no route to any, or does not speak
	// their family. A neighbour that is switched off is not among them.
	NoRoute bool
	// Refused says that nobody listens at the last address that was tried.
	Refused bool
	// Other is the wwwroot of another site, as it says, in whose name a sealed answer that verifies, or a certificate,
	// came; "" for none. The path counts to the letter.
	Other string

	retryAfter string // header field of that name
	untried    bool   // nothing was sent, because of what an earlier call had come to
}

// failed makes a Failure whose detail is safe to print, whatever the peer put into its arguments.
func failed(reason string, cause error, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Detail: clean(fmt.Sprintf(format, args...), detailLimit), Err: cause}
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Reason
	}
	return f.Reason + ": " + f.Detail
}

func (f *Failure) Unwrap() error { return f.Err }

// Pending says that the peer was not reached, so that a later run may succeed with nothing changed: dns, connect,
// tls, timeout, interrupted and http_5xx. Everything else is a refusal.
func (f *Failure) Pending() bool {
	return f.unanswered() || f.Reason == ReasonTLS || strings.HasPrefix(f.Reason, "http_5")
}

// unanswered says that nothing came back, or not all of an answer.
func (f *Failure) unanswered() bool {
	switch f.Reason {
	case ReasonDNS, ReasonConnect, ReasonTimeout, ReasonInterrupted:
		return true
	}
	return false
}

// asError is f as an error that is nil when f is.
func (f *Failure) asError() error {
	if f == nil {
		return nil
	}
	return f
}

// detailLimit is the longest detail, in characters.
const detailLimit = 200

// escapes are terminal control sequences: CSI (ESC [ … letter) and OSC (ESC ] … BEL or ESC \), in ESC form and as C1.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b\\]|\u009d)[^\a\x1b\u009c]*(?:\a|\x1b\\\\|\u009c)?|\x1b.?")

// clean makes text of a peer fit for a terminal, a log and a JSON document: valid UTF-8, one line, no terminal
// escapes, no control or invisible formatting characters (a right-to-left override can forge a host name), no PEM
// block (an echoing server would put our certificate into the log), at most limit characters.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = escapes.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	// Only now: what hid the marker is gone.
	if pem := strings.Index(s, "-----BEGIN"); pem >= 0 {
		s = s[:pem] + "(PEM left out)"
	}
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > limit {
		s = strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return s
}
