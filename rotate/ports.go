package rotate

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
)

// Store is the tenant's database.
type Store interface {
	// Read gives one consistent view of the tenant.
	Read(ctx context.Context) (*Tenant, error)
	// CheckRights reports whether the rights suffice for StoreKey, and changes nothing.
	CheckRights(ctx context.Context) error
	// StoreKey replaces pair, history and local host row in one transaction, or nothing at all. It
	// must fail, changing nothing, if pair or history are no longer those of read: Moodle renews by
	// itself, and its key must not be overwritten unseen.
	StoreKey(ctx context.Context, read *Tenant, next Keys) error
	// StoreHistory replaces only the history, in a transaction of its own, and leaves pair and
	// local host row as they are. It fails as StoreKey does if pair or history are no longer those
	// of read, and unless trim is set it refuses to lose a pair.
	StoreHistory(ctx context.Context, read *Tenant, history []Retired, trim bool) error
	// StorePeer writes a peer's certificate, but only over the one that p was read with. It is true
	// if the row has c afterwards, whoever wrote it; false means that the row was changed otherwise
	// or deleted, which is no error.
	StorePeer(ctx context.Context, p Peer, c *envelope.Certificate) (bool, error)
}

// Keys is what StoreKey writes.
type Keys struct {
	Stored        // the new current pair
	Expires int64 // notAfter of its certificate, unix seconds
	// Wwwroot is the new wwwroot of the local host row of a site that has moved; "" keeps the
	// row's.
	Wwwroot string
	// History is complete, newest first. A Store refuses to lose a retired pair that it has, unless
	// the history is full (MaxHistory).
	History []Retired
}

// MaxHistory is how many retired pairs are kept while a peer may still need one. Moodle reads the
// whole history, however long it is (mnet/xmlrpc/serverlib.php).
const MaxHistory = 12

// Starter turns MNet on if it is off (--newkey): mode strict, the all-hosts row and the local host
// row. It changes nothing that is already right.
type Starter interface {
	// ipAddress is that of the local host row, "" if it is not known.
	StartMNet(ctx context.Context, ipAddress string) error
	// StopMNet puts the mode back that StartMNet has replaced by strict. It fails with ErrConflict,
	// changing nothing, if the mode is neither of the two.
	StopMNet(ctx context.Context, mode string) error
}

// Locker prevents two renewals of one tenant at the same time. Whoever gets the lock must read the
// tenant afterwards: another run may have changed what was read before.
type Locker interface {
	// Lock waits at most wait. release must be called once, and also works after the context has
	// ended.
	Lock(ctx context.Context, wait time.Duration) (release func(), err error)
}

// Cache is Moodle's cached configuration, from which the web server reads the key pair. site is
// config.siteidentifier, which Moodle uses in the names of its entries. Drop removes the given
// scope. It returns an error for what it could not do, but first does all it can.
type Cache interface {
	// Check reports whether Drop would be permitted, and changes nothing.
	Check(ctx context.Context, site string) error
	Drop(ctx context.Context, site string, scope Scope) error
	// Cached gives the key pairs in the stores, as far as they can be read, and changes nothing:
	// the cached pair may be the only copy of a key. A pair that is current there has no Expires;
	// those of a cached history have what it says. withPHP also asks Moodle's own code, which can
	// read stores that nothing else can. An empty store is no error; one that cannot be read is.
	Cached(ctx context.Context, site string, withPHP bool) ([]Retired, error)
}

// Scope is how much of the cache Drop removes.
type Scope int

// From a single entry to a purge that takes a PHP process; each includes the one before.
const (
	ScopeEntry      Scope = iota // the entries of the MNet settings
	ScopeDefinition              // everything of core/config; it refills from the database
	ScopePHP                     // ask Moodle itself to do it
)

// String is the scope as it is passed to a cache hook.
func (w Scope) String() string { return [...]string{"entry", "definition", "all"}[w] }

// Network speaks MNet. Its methods retry what a retry can cure and always return a result, whatever
// the other side does.
type Network interface {
	// Push offers the identity's certificate by a forced keyswap.
	Push(ctx context.Context, own Identity, p Peer) Push
	// Prove makes a sealed call that only a site with the identity's new certificate can answer.
	// answered is the certificate that the peer gave to a keyswap, nil to use the one of its row.
	// With mayKeyswap it may ask for a newer one in between.
	Prove(ctx context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof
	// PublicKey reads the certificate a site shows on mnet/publickey.php.
	PublicKey(ctx context.Context, p Peer) (*envelope.Certificate, *Failure)
	// Reachable connects and sends nothing.
	Reachable(ctx context.Context, p Peer) *Failure
	// Nodes gives all addresses to which the name of a wwwroot resolves, in the form of a Peer's
	// Node; at least one unless there is a Failure.
	Nodes(ctx context.Context, wwwroot string) ([]string, *Failure)
}

// Push is the outcome of a keyswap. It proves nothing: a stock Moodle answers with its certificate
// but does not store the one it was sent.
type Push struct {
	PeerCertificate *envelope.Certificate // nil unless it answered with one for its wwwroot
	Failure         *Failure
	Attempts        int
}

// Proof is the outcome of a sealed call. It is proven when Failure is nil.
type Proof struct {
	// Certificate is the one under which a signed answer of the peer verified, including the signed
	// fault of a peer that is not proven; nil if there was no such answer.
	Certificate *envelope.Certificate
	Healed      bool   // proven, but not at the first call
	Fault       string // reason and text of a signed and sealed fault that proved it; "" for none
	Failure     *Failure
	Attempts    int
}

// HookedCache is a Cache that is dropped by a command of the operator, which may reload a web
// server. The command is run three times at most, at least a second apart.
type HookedCache interface {
	Cache
	Hooked() bool
}

// CacheDescriber is a Cache that knows its stores.
type CacheDescriber interface {
	// Describe reports which stores serve the cached configuration, and changes nothing. It returns
	// an error if they cannot be determined.
	Describe(ctx context.Context, site string) ([]CacheStore, error)
}

// CacheStore is a store of Moodle's cache that may contain the key pair.
type CacheStore struct {
	Name     string
	Plugin   string // file, redis, apcu, …
	Place    string // directory or servers, "" if it has none; never a password
	Factory  string // class that chose it, "" for Moodle's own
	Fallback bool   // used as long as no mapped store is ready
	State    CacheState
	Problem  string // one line, "" if ready
	Advice   string // "" if ready
}

// CacheState says whether a store can be cleared from here.
type CacheState string

// The states of a store.
const (
	CacheReady       CacheState = "ready"
	CacheHooked      CacheState = "hooked"       // a hook clears it
	CacheManual      CacheState = "by_hand"      // in the web server's memory, or an unknown plugin
	CacheUnreachable CacheState = "unreachable"  // its server does not answer, or refuses
	CacheNotWritable CacheState = "not_writable" // its files belong to another user
	CacheNotMounted  CacheState = "not_mounted"  // its directory is not on this machine
)

// ForceProber is a Network that can distinguish a peer that is patched for VMoodle from an
// unchanged one.
type ForceProber interface {
	// TakesForce finds out what the peer does with a forced keyswap. It is only used on a peer that
	// has just proven to have own's certificate, and must change nothing at such a peer. It is
	// ForcedUnknown if that cannot be found out, with a failure if the peer was asked.
	TakesForce(ctx context.Context, own Identity, p Peer) (Forced, *Failure)
}

// Forced is what a peer does with a forced keyswap.
type Forced string

// What a peer can do with a forced keyswap.
const (
	ForcedUnknown Forced = ""
	ForcedTaken   Forced = "patched" // stores the key
	ForcedIgnored Forced = "stock"   // stores nothing
)

// Locator is a Network that knows where a site is, seen from this machine.
type Locator interface {
	Address(ctx context.Context, wwwroot string) (netip.Addr, error)
}

// SiteDescriber is a Store that knows more of a site than a renewal needs.
type SiteDescriber interface {
	// DescribeSite reads which Moodle the site is and how its links to the peers are used, and
	// changes nothing. It leaves out what it cannot read within a time limit, and says so in
	// Unknown.
	DescribeSite(ctx context.Context, peers []Peer, now time.Time) Site
}

// PHPTeller is a Network that knows which PHP answers.
type PHPTeller interface {
	// PHP is the version that the web server of a site names, "" if it names none.
	PHP(ctx context.Context, p Peer) string
}

// Introducer finds out what is needed to register a host.
type Introducer interface {
	// Introduce asks the host for its certificate by a plain keyswap, and for the title of its home
	// page, which becomes the name of its row.
	Introduce(ctx context.Context, own Identity, wwwroot string) (Peer, *Failure)
}

// Registry is a tenant's list of peers, from one side of a link.
type Registry interface {
	// Connect makes peer a peer of the tenant: it registers it unless its wwwroot is known, and
	// binds its services by VMoodle's strategy. It gives the row as it is afterwards, and leaves
	// the certificate of a known peer as it is.
	Connect(ctx context.Context, peer Peer) (Peer, error)
}

// Link is a host that --bindhost asks to connect.
type Link struct {
	Wwwroot string
	// Near registers the host with the tenant, Far the tenant with the host. Far is nil unless the
	// host is a tenant of the same array, whose database is available.
	Near, Far Registry
}

// PeerRows is a member's rows of its peers, as far as an array needs them.
type PeerRows interface {
	// PeerList gives the active peers without name and certificate, in a stable order.
	PeerList(ctx context.Context) ([]Peer, error)
	// LoadPeers gives the same peers with all fields; those that were deleted meanwhile are left
	// out.
	LoadPeers(ctx context.Context, peers []Peer) ([]Peer, error)
	// StorePeerKeys stores the certificates of other sites in the member's rows of them, whatever
	// the rows have, in one transaction, and reads them back. It gives the result for each.
	StorePeerKeys(ctx context.Context, keys []HostKey) ([]StoreResult, error)
	// ComparePeerKeys finds out which of the certificates are in the member's rows, and writes
	// nothing.
	ComparePeerKeys(ctx context.Context, keys []HostKey) ([]StoreResult, error)
	// CheckPeerRights reports whether the rights suffice for StorePeerKeys, and writes nothing.
	// changes says whether it would change a row.
	CheckPeerRights(ctx context.Context, changes bool) error
	// RowsNamed gives the ids of all rows of hosts with that wwwroot, deleted ones too.
	RowsNamed(ctx context.Context, wwwroot string) ([]int64, error)
}

// HostKey is a site's current certificate, for the rows that other members have of the site.
type HostKey struct {
	Wwwroot     string
	Certificate *envelope.Certificate
	// Was is the wwwroot that rows of a site that has moved may still have; "" for all other sites.
	// Such a row gets the new wwwroot as well, unless there is a row of the new wwwroot already:
	// Moodle looks a host up by its wwwroot, and users refer to the row's id.
	Was string
	// Had are the site's own certificates, retired ones too: by them a row of Was is known to be
	// the site's. Another site may have come to Was since, and such a row would have the only
	// certificate that the member has of it. A row without a certificate shows nothing either, and
	// its users would become those of whoever gets the row.
	Had []*envelope.Certificate
}

// Owns reports whether a row of Was with this certificate, PEM, is the site's.
func (k HostKey) Owns(certificate string) bool {
	c, err := envelope.ParseCertificate(certificate)
	return err == nil && (c.Equal(k.Certificate) || slices.ContainsFunc(k.Had, c.Equal))
}

// IsNewer reports whether a certificate in a row of the site was made after the current one, and
// the site does not have its key: the site's database is then older than the row.
func (k HostKey) IsNewer(c *envelope.Certificate) bool {
	return older(k.Certificate, c) && c.CheckWwwroot(k.Wwwroot) == nil && !slices.ContainsFunc(k.Had, c.Equal)
}

// mayHaveMoved reports whether a certificate of the site names another wwwroot: that of the site
// before a move, or of the site of which it is a copy.
func (k HostKey) mayHaveMoved() bool {
	return slices.ContainsFunc(k.Had, func(c *envelope.Certificate) bool {
		return c.SubjectAltName != "" && !envelope.SameWwwroot(c.SubjectAltName, k.Wwwroot)
	})
}

// NotFound reports whether Moodle does not find a host by the wwwroot in its row: sites call without
// a slash at the end (mnet/peer.php, set_wwwroot).
func NotFound(wwwroot string) bool { return strings.HasSuffix(wwwroot, "/") }

// StoreResult is the result for a HostKey at a member.
type StoreResult uint8

// The results for a HostKey.
const (
	NotAsked         StoreResult = iota // the database could not be asked, or did not accept it
	NoRow                               // no row of the site, or only the member's own
	RowNotFound                         // Moodle does not find the active row of the site, whose wwwroot is spelt otherwise ([NotFound], and capitals if they count)
	RowNotOurs                          // a row has HostKey.Was, and no certificate of the site: it is not touched
	RowDeleted                          // deleted rows are not touched
	KeyPresent                          // the row has it already
	KeyStored                           // stored, and read back after the commit
	KeyNone                             // the row has none that can be read: only ComparePeerKeys says so
	KeyOther                            // the row has another one: only ComparePeerKeys says so
	KeyNewer                            // that one is later than the current one, and of a key that the site does not have
	RowNamedAsBefore                    // the row has HostKey.Was: only ComparePeerKeys says so
	RowTwice                            // several rows have the wwwroot, of which one at least is active; of a key with HostKey.Was: one row keeps that and another has the new wwwroot. The active ones are stored all the same
)
