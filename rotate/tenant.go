package rotate

import (
	"fmt"
	"io"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
)

// Tenant is what a renewal reads of one site: its settings, its key, and its
// peers, as they stood together at one moment.
type Tenant struct {
	Wwwroot          string // as the site itself writes it, without trailing slash
	Site             string // course.fullname of id 1
	NoReplyAddress   string
	DispatcherMode   string        // mnet_dispatcher_mode: strict, dangerous, off; "" is off
	DispatcherForced bool          // config.php says the mode: what is stored does not count
	LifetimeDays     int           // life of a key Moodle would make, in days
	Generations      int           // how many retired pairs Moodle keeps (openssl_generations)
	Drift            time.Duration // how far ahead a peer's answer may be stamped (drift_threshold)
	AutoRenewGap     time.Duration // how long before its expiry VMoodle wants a key renewed (mnet_key_autorenew_gap), 0 where it does not say

	Own     *Peer  // the site's own mnet_host row, nil when there is none
	Pair    Stored // the current key pair, as stored
	History []Retired
	Peers   []Peer // active peers, in a stable order

	// SiteIdentifier is config.siteidentifier, by which Moodle names cache entries.
	SiteIdentifier string
	// Read is what the store has read to the byte: it refuses to replace a key that is
	// no longer that.
	Read Snapshot
}

// Format shows whose keys these are, never the keys.
func (t Tenant) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "site %q: [key pair], %d retired ones, %d peers", t.Site, len(t.History), len(t.Peers))
}

// Snapshot is the state of a tenant's key as its store has read it. It holds private
// keys: it prints as nothing.
type Snapshot struct {
	Pair, History       string // the settings' values
	HasPair, HasHistory bool   // tell an absent setting from an empty one
	OwnID, AllHostsID   int64  // rows of mnet_host, 0 when config names none
}

// Format prints nothing of the keys.
func (s Snapshot) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[snapshot]") }

// MarshalJSON writes nothing of the keys.
func (s Snapshot) MarshalJSON() ([]byte, error) { return []byte(`"[snapshot]"`), nil }

// MNetOn reports whether the dispatcher answers calls at all (MNET: strict or
// dangerous; Moodle treats everything else as off).
func (t *Tenant) MNetOn() bool {
	return t.DispatcherMode == "strict" || t.DispatcherMode == "dangerous"
}

// off is why the dispatcher answers nobody.
func (t *Tenant) off() error {
	if t.DispatcherForced {
		return ErrMNetForcedOff
	}
	return ErrMNetOff
}

// Stored is a key pair as the database holds it, which may be unreadable or
// absent. It keeps the exact text, because the old text is what goes into the
// history. It holds a private key: it must not be printed.
type Stored struct {
	Certificate, PrivateKey string // PEM
}

// Present reports whether anything is stored.
func (s Stored) Present() bool { return s.Certificate != "" || s.PrivateKey != "" }

// Format prints nothing of the key under any verb: %d and %t would go through the
// fields of what has only a String.
func (s Stored) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key pair]") }

// MarshalJSON writes nothing of the key.
func (s Stored) MarshalJSON() ([]byte, error) { return []byte(`"[key pair]"`), nil }

// Retired is an entry of Moodle's openssl_history.
type Retired struct {
	Stored
	Expires int64 // unix seconds
}

// Peer is a row of mnet_host with what its application says.
type Peer struct {
	ID              int64
	Wwwroot         string
	Name            string // at most 80 characters
	IPAddress       string // "" where it is not known
	Application     string // moodle, mahara
	ServerURL       string // path of the XML-RPC server, appended to Wwwroot
	SSLVerification int    // 0 nothing, 1 host name, 2 host name and certificate
	Certificate     string // the PEM we hold of it, may be "" or unreadable
	Expires         int64  // unix seconds
	// Node is where to connect instead of an address of Wwwroot's host: an address
	// or a name, with a port or without it that of Wwwroot; "" for none. An IPv6
	// address with a port stands in brackets. Host, SNI, and the name that a TLS
	// certificate is verified for stay those of Wwwroot.
	Node string
}

// NewPeer is a Moodle as VMoodle registers it (local/vmoodle/lib.php), without a
// certificate; Moodle gives a new row that sslverification.
func NewPeer(wwwroot string) Peer {
	return Peer{Wwwroot: wwwroot, Application: "moodle", ServerURL: localServerURL, SSLVerification: 2}
}

// Identity is the site a call is made as.
type Identity struct {
	Wwwroot string
	Key     *envelope.KeyPair
	// Retired are the retired pairs, newest first; nil where there are none. They only read answers
	// of peers that missed a renewal, which is seldom: they are parsed when they are first asked
	// for.
	Retired func() []*envelope.KeyPair
	Drift   time.Duration // how far ahead of us an answer may be stamped, as the site's drift_threshold says; 0: the network's default
}

// checkOwnRow refuses a database that is not the tenant's: a mistyped name, a
// wrong row in the register, or a clone. Letters of the path make another site,
// as envelope.SameWwwroot says.
func (t *Tenant) checkOwnRow() error {
	if t.Own == nil {
		return ErrNoOwnHost
	}
	if t.Own.Wwwroot != "" && !envelope.SameWwwroot(t.Own.Wwwroot, t.Wwwroot) {
		return &OtherSiteError{Wwwroot: t.Wwwroot, Row: t.Own.Wwwroot}
	}
	return nil
}

// identity is the tenant under its stored key. It is nil when no readable pair
// is stored, in which case nothing can be signed.
func (t *Tenant) identity() *Identity {
	key, err := envelope.ParseKeyPair(t.Pair.Certificate, t.Pair.PrivateKey)
	if err != nil {
		return nil
	}
	return &Identity{Wwwroot: t.Wwwroot, Key: key, Retired: readable(t.History), Drift: t.Drift}
}

// readable gives the retired pairs that parse. An unreadable entry opens no
// message, but stays in the history: it may be the only copy of something.
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

// expires is when the stored pair ends: by its certificate, else by the own row.
func (t *Tenant) expires() int64 {
	if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil {
		return c.NotAfter.Unix()
	}
	if t.Own != nil {
		return t.Own.Expires
	}
	return 0
}
