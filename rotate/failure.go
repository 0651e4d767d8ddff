package rotate

import "renew_mnetkeys/envelope"

// Failure is the reason why a peer did not do what it was asked. It is the only error type of a
// Network.
type Failure struct {
	Reason  Reason
	Detail  string // for people: one line of printable text, free of secrets
	Err     error  // the cause, may be nil
	Pending bool   // it was not reached; if false, it answered otherwise
	Next    string // what to do about it; if "", Reason.NextStep says it
	// NoRoute says that no address was tried over the network: this machine has no route to any, or
	// does not support their address family. A neighbour that is switched off does not count as
	// that.
	NoRoute bool
	Refused bool // no process listens at the last address that was tried
	// Other is the wwwroot of another site, as that site writes it, if a sealed answer that
	// verifies, or a certificate, came in its name; "" for none. Upper and lower case count in the
	// path.
	Other string
	// Shown is the certificate in the name of Other, nil if none came.
	Shown      *envelope.Certificate
	Node       string   // the --node whose web server is that of Other; "" if it was reached otherwise
	RetryAfter string   // the answer's header field of that name (RFC 9110 §10.2.3), "" for none
	itself     bool     // it is the proof of the peer's own key that failed
	noRow      bool     // the peer is a site of the same array, and its database has no row of this site
	Suppressed bool     // nothing was sent, because of the result of an earlier call
	asked      []string // each --node that is missing as the one that failed is, see absence
	unnamed    bool     // the answer came by the name beside --node
	among      bool     // it is of another site, and other web servers were seen to be of this one
}

// nextOfOther is the next step for a peer that answers under another wwwroot, "" if there is none. A
// new key is no cure: the peer would have to make it in its own name, which its host row has wrong.
func nextOfOther(wwwroot string) string {
	if wwwroot == "" {
		return ""
	}
	return "the peer calls itself " + wwwroot + ": the site has moved, or is a copy. Ask the peer's administrator which. If that is its new address, change the wwwroot in this site's row of the peer. " +
		"If that is its old address, its local host row (mnet_host) still has it: the administrator must finish the move there, see docs/move.md. In a copy, that row needs the wwwroot of the copy"
}

// NoCertificate is the failure of a call to a peer of which this site has no readable certificate:
// unlike an answer that names another one, a push cures it.
func NoCertificate() *Failure {
	return &Failure{Reason: ReasonBadCertificate, Detail: "this site has no readable certificate of the peer", Next: nextPush}
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

func (f *Failure) Unwrap() error { return f.Err }

// at is the failure with the web server that was asked.
func (f *Failure) at(node Peer) *Failure {
	named := *f
	if node.Node != "" {
		named.Detail = join("web server "+node.Node, f.Detail)
	}
	return &named
}
