package peers

import "strings"

// The stable reasons of a Failure; besides them there are "http_<status>" and "fault_<code>".
const (
	ReasonDNS            = "dns"
	ReasonConnect        = "connect"
	ReasonTLS            = "tls"
	ReasonTimeout        = "timeout"
	ReasonNotXMLRPC      = "not_xmlrpc"
	ReasonTooLarge       = "too_large"
	ReasonUnknownToPeer  = "unknown_to_peer"
	ReasonMNetOff        = "mnet_off"
	ReasonNoRC4          = "no_rc4"
	ReasonBadCertificate = "bad_certificate"
	ReasonBadSignature   = "bad_signature"
	ReasonCannotOpen     = "cannot_open"
	ReasonClock          = "clock"
)

// Failure is the one error type of this package: why a peer could not be told, or could not be proven.
type Failure struct {
	Reason string // stable code, see the constants
	Detail string // for people, at most 200 characters, printable
	Err    error  // the cause, may be nil
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Reason
	}
	return f.Reason + ": " + f.Detail
}

func (f *Failure) Unwrap() error { return f.Err }

// Pending says that the peer was not reached, so that a later run may: dns, connect, tls, timeout and http_5xx.
// Everything else is a refusal.
func (f *Failure) Pending() bool {
	switch f.Reason {
	case ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout:
		return true
	}
	return strings.HasPrefix(f.Reason, "http_5")
}
