package rotate

import (
	"context"
	"time"

	"renew_mnetkeys/envelope"
)

// Store is the tenant's database.
type Store interface {
	// Read gives one consistent view of the tenant.
	Read(ctx context.Context) (*Tenant, error)
	// CheckRights tells whether StoreKey would be let, and changes nothing.
	CheckRights(ctx context.Context) error
	// StoreKey replaces pair, history and own host row in one transaction, or
	// nothing at all. It must fail, changing nothing, when pair or history are
	// no longer those of read: Moodle renews by itself, and its key must not be
	// overwritten unseen.
	StoreKey(ctx context.Context, read *Tenant, next Keys) error
	// StoreHistory replaces the history alone, in a transaction of its own, and
	// leaves pair and own host row as they are. It fails as StoreKey does when pair
	// or history are no longer those of read, and unless trim is set it refuses to
	// lose a pair.
	StoreHistory(ctx context.Context, read *Tenant, history []Retired, trim bool) error
	// StorePeer writes a peer's certificate, but only over the one p was read
	// with. It is true when the row holds c afterwards, whoever wrote it; false
	// means that the row has changed otherwise or gone, which is no error.
	StorePeer(ctx context.Context, p Peer, c *envelope.Certificate) (bool, error)
}

// Keys is what StoreKey writes.
type Keys struct {
	Stored        // the new current pair
	Expires int64 // notAfter of its certificate, unix seconds
	// History is whole, newest first. A Store refuses to lose a retired pair that it
	// has, unless the history is full (MaxHistory).
	History []Retired
}

// MaxHistory is how many retired pairs are kept while a peer may still need one.
// Moodle reads the whole history, however long it is (mnet/xmlrpc/serverlib.php).
const MaxHistory = 12

// Starter turns MNet on where it is off (--newkey): mode strict, the all-hosts
// row and the own row. It changes nothing that is already so.
type Starter interface {
	// ipAddress is that of the own row, "" where it is not known.
	StartMNet(ctx context.Context, ipAddress string) error
}

// Locker keeps two renewals of one tenant apart. Whoever gets the lock must read
// the tenant afterwards: what was read before is another's past.
type Locker interface {
	// Lock waits at most wait. release must be called once and works although
	// the context has ended.
	Lock(ctx context.Context, wait time.Duration) (release func(), err error)
}

// Cache is Moodle's cached configuration, out of which the web side reads the
// key pair. site is config.siteidentifier, by which Moodle names its entries. Drop
// removes it as widely as asked. It reports what it could not do as an error, but does
// all it can before.
type Cache interface {
	// Check tells whether Drop would be let, and changes nothing.
	Check(ctx context.Context, site string) error
	Drop(ctx context.Context, site string, width Width) error
	// Cached gives the key pairs that the stores hold, as far as they can be read,
	// and changes nothing: the cached pair may be the only copy of a key. withPHP
	// also asks Moodle's own code, which reads what only it can. A store that holds
	// nothing is no error; one that cannot be read is.
	Cached(ctx context.Context, site string, withPHP bool) ([]Stored, error)
}

// Width is how much of the cache Drop removes.
type Width int

// From the one entry to what takes a PHP process; each includes the one before.
const (
	WidthEntry      Width = iota // the entries of the MNet settings
	WidthDefinition              // everything of core/config; it refills from the database
	WidthPHP                     // ask Moodle itself to do it
)

// Network speaks MNet. Its methods retry what a retry can cure and come back
// with a result, whatever the other side does.
type Network interface {
	// Push offers the identity's certificate by a forced keyswap.
	Push(ctx context.Context, own Identity, p Peer) Push
	// Prove makes a sealed call that only a holder of our new certificate can
	// answer. answered is the certificate the peer gave to a keyswap, nil to use
	// the one of its row. With mayKeyswap it may ask for a newer one in between.
	Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof
	// PublicKey reads the certificate a site shows on mnet/publickey.php.
	PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure)
	// Reachable connects and sends nothing.
	Reachable(ctx context.Context, p Peer) *Failure
	// Nodes gives all addresses that a wwwroot's name resolves to, as a Peer's Node
	// takes them; at least one unless there is a Failure.
	Nodes(ctx context.Context, wwwroot string) ([]string, *Failure)
}

// Push is the outcome of a keyswap. It proves nothing: a stock Moodle answers
// with its certificate and stores ours not at all.
type Push struct {
	Answered *envelope.Certificate // nil unless it answered one that carries its wwwroot
	Failure  *Failure
	Attempts int
}

// Proof is the outcome of a sealed call. It is proven when Failure is nil.
type Proof struct {
	// Certificate is the one under which a signed answer of the peer verified, the
	// signed fault of one that is not proven too; nil where none did.
	Certificate *envelope.Certificate
	Healed      bool   // not at the first call
	Forgotten   bool   // the peer opens no call sealed to the certificate of our row, under which this site calls it
	Fault       string // proven by a fault that came signed and sealed, "fault_17: text"; "" for none
	Failure     *Failure
	Attempts    int
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
