package dialect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
)

// Fault is what an error of a driver means. Other code decides on this alone.
type Fault int

// The faults. Those from Answered to Syntax are answers of the server.
const (
	None            Fault = iota // no error, or one that has nothing to do with a database
	Answered                     // an answer on which nothing is decided
	Conflict                     // rolled back in favour of another transaction: may be tried again
	ReadOnly                     // the server or the account may only read
	NoTable                      // the table does not exist
	NoColumn                     // the column does not exist
	Login                        // wrong account or password
	LoginHost                    // the account may not connect from here
	HostBlocked                  // this machine failed too often: the server lets none of its accounts in
	AccountLocked                // an administrator has locked the account
	PasswordExpired              // the account must change its password first
	AccountLimit                 // the account has used up what it may use
	NeedsTLS                     // the server does not take connections without TLS
	NoDatabase                   // the database does not exist, or is not this account's
	NoConnection                 // the server has no connection left
	NoRoom                       // the disk or the table is full
	TooLarge                     // the server does not take statements of this size
	NoRight                      // the account lacks a right on a table
	Syntax                       // the statement is not understood; the message may quote it
	NoLocks                      // the server gives no locks to anybody
	NoTLS                        // the server does not offer TLS
	Untrusted                    // the server's certificate is not trusted
	Refused                      // the server or a pooler does not serve the connection
	OtherServer                  // it does not speak the language of this kind of server
	LoginMethod                  // the server wants the password in a way that the driver does not support
	Lost                         // the connection is lost
	Ended                        // the context has ended: nothing is wrong with the database
)

// Refusal is an answer that was found by asking, not by an error of the server.
type Refusal struct {
	Fault   Fault
	Problem string
}

func (e *Refusal) Error() string { return e.Problem }

// FaultOf is the fault of an error, and the error to show for it: an answer of the server without
// what was wrapped around it.
func FaultOf(err error) (Fault, error) {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Fault, refusal
	}
	if end := contextEnd(err); end != nil {
		return Ended, end
	}
	if fault, answer := faultOfMySQL(err); fault != None {
		return fault, answer
	}
	fault, answer := faultOfPostgreSQL(err)
	if fault != None {
		return fault, answer
	}
	err = answer
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return Untrusted, verification
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return Untrusted, authority
	}
	return None, err
}

// contextEnd finds the end of a context in an error, as it is and not as errors.Is sees it, for
// which a timeout of the network is a deadline as well.
func contextEnd(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if slices.Contains([]error{context.Canceled, context.DeadlineExceeded}, e) {
			return e
		}
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			if end := contextEnd(e); end != nil {
				return end
			}
		}
	}
	return nil
}

// IsAnswer says whether a fault shows that the server is up: it answered, or the driver refused
// what it offered. Another account or other options may succeed.
func (f Fault) IsAnswer() bool { return f != None && f != Lost && f != Ended }
