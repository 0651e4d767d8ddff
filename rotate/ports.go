package rotate

import (
	"context"
	"net/netip"
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

// String is what a cache-hook is told.
func (w Width) String() string { return [...]string{"entry", "definition", "all"}[w] }

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
	PeerCertificate *envelope.Certificate // nil unless it answered one that carries its wwwroot
	Failure         *Failure
	Attempts        int
}

// Proof is the outcome of a sealed call. It is proven when Failure is nil.
type Proof struct {
	// Certificate is the one under which a signed answer of the peer verified, the
	// signed fault of one that is not proven too; nil where none did.
	Certificate *envelope.Certificate
	Healed      bool   // not at the first call
	Forgotten   bool   // the peer opens no call sealed to the certificate of our row, under which this site calls it
	Fault       string // proven by a fault that came signed and sealed: its reason and text; "" for none
	Failure     *Failure
	Attempts    int
}

// HookedCache is a Cache that a command of the operator's drops, which may be to
// reload a web server. It is run three times at most, at least a second apart.
type HookedCache interface {
	Cache
	Hooked() bool
}

// CacheDescriber is a Cache that knows its stores.
type CacheDescriber interface {
	// Describe tells which stores serve the cached configuration, and changes
	// nothing. Its error says that they cannot be told.
	Describe(ctx context.Context, site string) ([]CacheStore, error)
}

// CacheStore is a store of Moodle's cache that may hold the key pair.
type CacheStore struct {
	Name     string
	Plugin   string // file, redis, apcu, …
	Place    string // directory or servers, "" where it has none; never a password
	Factory  string // class that chose it, "" for Moodle's own
	Fallback bool   // used while no mapped store is ready
	State    CacheState
	Problem  string // one line, "" when ready
	Advice   string // "" when ready
}

// CacheState is whether a store can be cleared from here.
type CacheState string

// The states of a store.
const (
	CacheReady       CacheState = "ready"
	CacheByHand      CacheState = "by_hand"      // in the web server's memory, or of an unknown plugin
	CacheUnreachable CacheState = "unreachable"  // its server does not answer, or refuses
	CacheNotWritable CacheState = "not_writable" // its files are somebody else's
	CacheNotMounted  CacheState = "not_mounted"  // its directory is not on this machine
)

// ForceProber is a Network that can tell a peer that is patched for VMoodle from
// one as released.
type ForceProber interface {
	// TakesForce finds out what the peer does with a forced keyswap. It is asked
	// only of a peer that has just proven to hold own's certificate, and must
	// change nothing at such a peer. ForcedUnknown where it cannot be told, with a
	// failure if it was asked.
	TakesForce(ctx context.Context, own Identity, p Peer) (Forced, *Failure)
}

// Forced is what a peer does with a forced keyswap.
type Forced string

// The ways of a peer with a forced keyswap.
const (
	ForcedUnknown Forced = ""
	ForcedTaken   Forced = "patched" // stores the key
	ForcedIgnored Forced = "stock"   // stores nothing
)

// Locator is a Network that can tell where a site is, seen from this machine.
type Locator interface {
	Address(ctx context.Context, wwwroot string) (netip.Addr, error)
}

// SiteDescriber is a Store that knows more of a site than a renewal needs.
type SiteDescriber interface {
	// DescribeSite reads which Moodle the site is and how its links to the peers are
	// used, and changes nothing. What it cannot read within a limit it leaves out, and
	// says so in Unknown.
	DescribeSite(ctx context.Context, peers []Peer, now time.Time) Site
}

// PHPTeller is a Network that can tell which PHP answers.
type PHPTeller interface {
	// PHP is the version that the web server of a site names, "" if it names none.
	PHP(ctx context.Context, p Peer) string
}

// Introducer finds out what registering a host takes.
type Introducer interface {
	// Introduce asks the host for its certificate by a plain keyswap and for the
	// title of its home page, which becomes the name of its row.
	Introduce(ctx context.Context, own Identity, wwwroot string) (Peer, *Failure)
}

// Registry is a tenant's list of peers, from one side of a link.
type Registry interface {
	// Connect makes peer a peer of the tenant: registers it unless its wwwroot is
	// known, and binds its services by VMoodle's strategy. It gives the row as it
	// then stands, and leaves the certificate of a known peer as it is.
	Connect(ctx context.Context, peer Peer) (Peer, error)
}

// Link is a host that --bindhost asks to connect.
type Link struct {
	Wwwroot string
	// Near registers the host with the tenant, Far the tenant with the host. Far
	// is nil unless the host is a tenant of the same array, whose database is at
	// hand.
	Near, Far Registry
}

// PeerRows is a member's rows of its peers, as far as an array needs them.
type PeerRows interface {
	// PeerList gives the active peers without name and certificate, in a stable order.
	PeerList(ctx context.Context) ([]Peer, error)
	// LoadPeers gives the same peers whole; those that have gone meanwhile are left out.
	LoadPeers(ctx context.Context, peers []Peer) ([]Peer, error)
	// StorePeerKeys stores the certificates of other sites in the rows the member has
	// of them, whatever those hold, in one transaction, and reads them back. It gives
	// what became of each.
	StorePeerKeys(ctx context.Context, keys []HostKey) ([]StoreResult, error)
	// HeldKeys tells which of the certificates the member's rows hold, and writes
	// nothing.
	HeldKeys(ctx context.Context, keys []HostKey) ([]StoreResult, error)
}

// HostKey is a site's current certificate, for the rows that other members have of
// it.
type HostKey struct {
	Wwwroot     string
	Certificate *envelope.Certificate
	Replaces    string // the certificate before it, PEM, "" when not known: what nearly all members hold
}

// StoreResult is what became of a HostKey at a member. Of several rows of one wwwroot,
// which Moodle does not prevent, it is what became of the active ones; where they
// differ, the greater value.
type StoreResult uint8

// What became of a HostKey.
const (
	NotAsked   StoreResult = iota // the database could not be asked, or did not take it
	NoRow                         // no row of the site, or only the member's own
	RowDeleted                    // deleted rows are not touched
	KeyPresent                    // the row has it already
	KeyStored                     // stored, and read back after the commit
	KeyOther                      // the row has another one: what only HeldKeys says
)
