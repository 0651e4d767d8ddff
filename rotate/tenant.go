package rotate

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
)

// Tenant is what a renewal reads of one site: its settings, its key, and its peers, in one
// consistent view.
type Tenant struct {
	Wwwroot string // as the site itself writes it, without trailing slash
	// Configured is the wwwroot of config.php, if the local host row of a site that has moved still
	// has another one, which then is Wwwroot; else "". Moodle names itself by the row
	// (mnet/lib.php, mnet_sign_message), and is reached at the wwwroot of config.php.
	Configured       string
	Site             string // course.fullname of id 1
	NoReplyAddress   string
	DispatcherMode   string        // mnet_dispatcher_mode: strict, dangerous, off; "" is off
	DispatcherForced bool          // config.php sets the mode: the stored mode does not count
	LifetimeDays     int           // lifetime of a key that Moodle would make, in days
	Generations      int           // how many retired pairs Moodle keeps (openssl_generations)
	Drift            time.Duration // how far ahead a peer's timestamps may be (drift_threshold)
	Proxy            *Proxy        // for keyswaps; nil if there is none
	AutoRenewGap     time.Duration // before expiry, VMoodle's mnet_key_autorenew_gap; 0 if not set

	Own         *Peer // the local host row, nil if there is none
	RowIsMember bool  // if it has another wwwroot: whether that is another site of the array
	// Namesakes are the ids of other rows with the site's wwwroot, deleted or not: of a copy, which had
	// a peer of that name, or because mnet_localhost_id names a wrong row.
	Namesakes []int64
	Pair      Stored // the current key pair, as stored
	History   []Retired
	Peers     []Peer // active peers, in a stable order
	// Deleted are the wwwroots of deleted rows. Moodle looks for the host that calls without regard to
	// deleted, and refuses the call of one that is (mnet/peer.php, set_wwwroot).
	Deleted []string
	// Hidden are the wwwroots of active rows in whose place Moodle may find another row, deleted or of
	// the same peer, as the database compares wwwroots.
	Hidden []string

	// SiteIdentifier is config.siteidentifier, by which Moodle names cache entries.
	SiteIdentifier string
	// Read is exactly what the store has read: it refuses to replace a key that has changed since.
	Read Snapshot
}

// Format shows whose keys these are, never the keys.
func (t Tenant) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "site %q: [key pair], %d retired ones, %d peers", t.Site, len(t.History), len(t.Peers))
}

// Snapshot is the state of a tenant's key as its store has read it. It contains private keys, so
// printing it shows nothing.
type Snapshot struct {
	Pair, History       string // the settings' values
	HasPair, HasHistory bool   // distinguish an absent setting from an empty one
	OwnID, AllHostsID   int64  // rows of mnet_host, 0 if config names none
}

// Format prints nothing of the keys.
func (s Snapshot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[snapshot]") }

// MarshalJSON writes nothing of the keys.
func (s Snapshot) MarshalJSON() ([]byte, error) { return []byte(`"[snapshot]"`), nil }

// MNetOn reports whether the dispatcher answers calls at all (MNet's modes strict or dangerous;
// Moodle treats everything else as off).
func (t *Tenant) MNetOn() bool {
	return t.DispatcherMode == "strict" || t.DispatcherMode == "dangerous"
}

// isOff reports whether MNet is off, or was never on: there is no local host row then.
func (t *Tenant) isOff() bool { return !t.MNetOn() || t.Own == nil }

// off is the reason why the dispatcher answers no calls.
func (t *Tenant) off() error {
	if t.DispatcherForced {
		return ErrMNetForcedOff
	}
	return ErrMNetOff
}

// Stored is a key pair as the database has it, which may be unreadable or absent. It keeps the
// exact text, because the old text is what goes into the history. It contains a private key: it
// must not be printed.
type Stored struct {
	Certificate, PrivateKey string // PEM
}

// Present reports whether anything is stored.
func (s Stored) Present() bool { return s.Certificate != "" || s.PrivateKey != "" }

// Format prints nothing of the key under any verb: with only a String method, %d and %t would print
// the fields.
func (s Stored) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key pair]") }

// MarshalJSON writes nothing of the key.
func (s Stored) MarshalJSON() ([]byte, error) { return []byte(`"[key pair]"`), nil }

// Retired is an entry of Moodle's openssl_history.
type Retired struct {
	Stored
	Expires int64 // unix seconds
}

// Peer is a row of mnet_host together with its application.
type Peer struct {
	ID              int64
	Wwwroot         string
	At              string // where it is called, if it is not called at Wwwroot: its new wwwroot; else ""
	Name            string // at most 80 characters
	IPAddress       string // "" if it is not known
	Application     string // moodle, mahara
	ServerURL       string // path of the XML-RPC server, appended to Wwwroot
	SSLVerification int    // 0 nothing, 1 host name, 2 host name and certificate
	Certificate     string // this site's copy of its certificate, PEM; may be "" or unreadable
	Expires         int64  // unix seconds
	// Node is where to connect instead of an address of Wwwroot's host: an address or a name, with
	// a port, or without one to use that of Wwwroot; "" for none. An IPv6 address with a port is in
	// brackets. Host, SNI, and the name that a TLS certificate is verified for remain those of
	// Wwwroot.
	Node string
}

// NewPeer is a Moodle as VMoodle registers it (local/vmoodle/lib.php), without a certificate; it
// has the sslverification that Moodle gives to a new row.
func NewPeer(wwwroot string) Peer {
	return Peer{Wwwroot: wwwroot, Application: "moodle", ServerURL: localServerURL, SSLVerification: 2}
}

// Identity is the site that makes a call.
type Identity struct {
	Wwwroot string
	Key     *envelope.KeyPair
	// Retired are the retired pairs, newest first; nil if there are none. They are only needed to
	// read answers of peers that missed a renewal, which is rare: they are parsed at the first use.
	Retired func() []*envelope.KeyPair
	// Drift is how far in the future an answer's timestamp may be (the site's drift_threshold); 0:
	// the network's default.
	Drift time.Duration
	Proxy *Proxy // of the site's settings, nil if there is none
}

// hasOtherName reports whether the stored certificate is that of another wwwroot: the site is a copy,
// and whoever has the original's key can speak in its name.
func (t *Tenant) hasOtherName() bool { return t.otherName() != "" }

// otherName is the wwwroot of the stored certificate if it is that of another site, else "".
func (t *Tenant) otherName() string {
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil || envelope.SameWwwroot(c.SubjectAltName, t.Wwwroot) || envelope.SameWwwroot(c.SubjectAltName, t.address()) {
		return ""
	}
	return c.SubjectAltName
}

// address is the wwwroot at which the site answers, and for which a new certificate is made.
func (t *Tenant) address() string { return cmp.Or(t.Configured, t.Wwwroot) }

// checkLocalRow refuses a database that is not the tenant's: because of a mistyped name, a wrong
// row in the register, or a clone. Upper and lower case in the path make another site, as
// envelope.SameWwwroot says.
func (t *Tenant) checkLocalRow() error {
	if t.Own == nil {
		return ErrNoLocalRow
	}
	if t.Own.Wwwroot != "" && !envelope.SameWwwroot(t.Own.Wwwroot, t.Wwwroot) {
		other := &OtherSiteError{Wwwroot: t.Wwwroot, Row: t.Own.Wwwroot, Member: t.RowIsMember}
		// Each site of an array has a row of every other one: only the key shows whose tables these are.
		if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil && len(t.Namesakes) > 0 && envelope.SameWwwroot(c.SubjectAltName, t.Wwwroot) {
			other.Namesake = t.Namesakes[0]
		}
		return other
	}
	return nil
}

// mayAsk is the reason why the database alone forbids any work with the web server: MNet is off, or
// the database is not the tenant's.
func (t *Tenant) mayAsk() error {
	if !t.MNetOn() {
		return t.off()
	}
	return t.checkLocalRow()
}

// identity is the tenant with its stored key. It is nil if no readable pair is stored, in which
// case nothing can be signed.
func (t *Tenant) identity() *Identity {
	key, err := envelope.ParseKeyPair(t.Pair.Certificate, t.Pair.PrivateKey)
	if err != nil {
		return nil
	}
	return &Identity{Wwwroot: t.Wwwroot, Key: key, Retired: readable(t.History), Drift: t.Drift, Proxy: t.Proxy}
}

// readable gives the retired pairs that can be parsed. An unreadable entry opens no message, but
// stays in the history: it may be the only copy of something.
func readable(history []Retired) func() []*envelope.KeyPair {
	return sync.OnceValue(func() []*envelope.KeyPair {
		var pairs []*envelope.KeyPair
		for _, h := range history {
			if pair, err := envelope.ParseKeyPair(h.Certificate, h.PrivateKey); err == nil {
				pairs = append(pairs, pair)
			}
		}
		return pairs
	})
}

// expires is the expiry of the stored pair: that of its certificate, else that of the local host
// row.
func (t *Tenant) expires() int64 {
	if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil {
		return c.NotAfter.Unix()
	}
	if t.Own != nil {
		return t.Own.Expires
	}
	return 0
}
