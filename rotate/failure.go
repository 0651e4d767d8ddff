package rotate

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
