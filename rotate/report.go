package rotate

import (
	"cmp"
	"errors"
	"time"

	"renew_mnetkeys/envelope"
)

// Exit codes of the command, stable (users script against them).
const (
	ExitOK         = 0 // all proven, or nothing due
	ExitNotRenewed = 1 // not renewed, nothing changed, or undone
	ExitUsage      = 2 // usage or configuration
	ExitPeers      = 3 // renewed, but a peer is pending or refused
	ExitOwnSite    = 4 // the own site does not use the stored key
	ExitLocked     = 5 // another run has the lock
)

// Outcome of a tenant.
type Outcome string

// The outcomes of a tenant.
const (
	Renewed Outcome = "renewed" // the new key is stored and in use
	Kept    Outcome = "kept"    // the key was left as it is
	Undone  Outcome = "undone"  // the old key is back, because the own site kept using it
	Failed  Outcome = "failed"
)

// SelfCheck is what the sealed call to the own wwwroot showed.
type SelfCheck string

// The outcomes of the own proof.
const (
	SelfProven      SelfCheck = "proven"
	SelfNoRC4       SelfCheck = "no_rc4"      // shows the new certificate, but its OpenSSL cannot do RC4
	SelfUnreachable SelfCheck = "unreachable" // no MNet site answers at the own wwwroot from here
	SelfSkipped     SelfCheck = "skipped"
	SelfFailed      SelfCheck = "failed" // answers, and does not use the stored key
)

// PeerOutcome is what became of a peer.
type PeerOutcome string

// The outcomes of a peer.
const (
	Accepted PeerOutcome = "accepted" // proven at once
	Healed   PeerOutcome = "healed"   // proven after it fetched the key itself
	Pending  PeerOutcome = "pending"  // not reached
	Refused  PeerOutcome = "refused"  // answered, and does not use the new key
	Skipped  PeerOutcome = "skipped"
	Ignored  PeerOutcome = "ignored" // not proven, and matches IgnorePeers: it does not count
)

// Proven reports whether a sealed call showed that the peer holds the new key.
func (o PeerOutcome) Proven() bool { return o == Accepted || o == Healed }

// TenantReport is what a renewal of one tenant came to. Its JSON form is the
// contract of --json.
type TenantReport struct {
	Wwwroot     string       `json:"wwwroot"`
	Outcome     Outcome      `json:"outcome"`
	Error       string       `json:"error"`
	Hint        string       `json:"hint"` // what to do about Error, "" where there is nothing
	SelfCheck   SelfCheck    `json:"self_check"`
	Certificate *KeyReport   `json:"certificate,omitempty"`
	Previous    *KeyReport   `json:"previous,omitempty"`
	History     int          `json:"history"` // retired pairs kept
	Peers       []PeerReport `json:"peers"`

	// Archive are the retired certificates, newest first (status).
	Archive []KeyReport `json:"archive,omitempty"`

	// Findings are what the diagnosis has found (doctor).
	Findings []Finding `json:"findings,omitempty"`

	// Site is what else is known of the site (doctor).
	Site *SiteReport `json:"site,omitempty"`

	// Err is the cause behind Error, for exit codes and hints.
	Err error `json:"-"`
	// Warnings are lines for people that change no outcome.
	Warnings []string `json:"-"`
	// NotDue is set by the dry run of a renewal that would keep the key.
	NotDue bool `json:"-"`
	// Exit is the exit code this tenant asks for.
	Exit int `json:"-"`

	rowEnds time.Time // what the own row says of the key, the zero time where it says nothing of its own
}

// Ends is when Moodle takes the key for expired: when its certificate ends, or
// earlier, where the own row says so. ok is false where no certificate is known.
func (r *TenantReport) Ends() (end time.Time, ok bool) {
	switch {
	case r.Certificate == nil:
		return time.Time{}, false
	case !r.rowEnds.IsZero() && r.rowEnds.Before(r.Certificate.NotAfter):
		return r.rowEnds, true
	}
	return r.Certificate.NotAfter, true
}

// KeyReport names a certificate.
type KeyReport struct {
	SHA256    string     `json:"sha256"` // hex of the DER's digest
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  time.Time  `json:"not_after"`
}

// PeerReport is one line of the report.
type PeerReport struct {
	Wwwroot     string      `json:"wwwroot"`
	Application string      `json:"application"`
	Outcome     PeerOutcome `json:"outcome"`
	Reason      Reason      `json:"reason"` // stable code, "" when proven at once
	Detail      string      `json:"detail"`
	Next        string      `json:"next"` // what to do about it, "" where there is nothing
	Attempts    int         `json:"attempts"`
	TookMS      int64       `json:"took_ms"`

	// Certificate is the one we hold of it (status).
	Certificate *KeyReport `json:"certificate,omitempty"`
	// Holds says which certificate of ours it holds, where its database is at
	// hand: current, archived, other, none (status).
	Holds string `json:"holds,omitempty"`

	// Use is how the link is used (doctor).
	Use *LinkUse `json:"use,omitempty"`
}

func keyReport(c *envelope.Certificate) *KeyReport {
	before := c.NotBefore.UTC()
	return &KeyReport{SHA256: c.Fingerprint(), NotBefore: &before, NotAfter: c.NotAfter.UTC()}
}

// Unproven counts the peers that are pending or refused.
func (r *TenantReport) Unproven() int {
	n := 0
	for _, p := range r.Peers {
		if p.Outcome == Pending || p.Outcome == Refused {
			n++
		}
	}
	return n
}

// weighLinks takes back what calls to peers have proven, unless the local site was
// proven too: a link has two sides. It ends with what does not count.
func (r *Renewal) weighLinks(report *TenantReport, localProven bool) {
	for i := range report.Peers {
		if p := &report.Peers[i]; p.Outcome.Proven() && !localProven {
			why := cmp.Or(localSiteWords[report.SelfCheck], "the key of the local site was changed meanwhile")
			p.fail(&Failure{Reason: ReasonOwnSite, Detail: join("the peer is in order, but "+why, p.Detail), Pending: true})
		}
	}
	r.ignore(report)
}

// localSiteWords say what was not seen of the local site.
var localSiteWords = map[SelfCheck]string{
	SelfSkipped:     "the local site was not asked which key it uses",
	SelfUnreachable: "the local site could not be asked which key it uses",
	SelfNoRC4:       "the local site cannot do RC4, so that no sealed call works from it",
	SelfFailed:      "the local site does not use the stored key",
}

func (r *TenantReport) describe(t *Tenant) {
	r.Wwwroot, r.History = t.Wwwroot, len(t.History)
	if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil {
		r.Certificate = keyReport(c)
		if t.Own != nil {
			r.rowEnds = t.ends(c)
		}
	}
}

// renewed moves the certificate described before to previous, which the
// contract names without not_before.
func (r *TenantReport) renewed(c *envelope.Certificate, history int) {
	if old := r.Certificate; old != nil {
		r.Previous = &KeyReport{SHA256: old.SHA256, NotAfter: old.NotAfter}
	}
	r.Outcome, r.Certificate, r.History, r.rowEnds = Renewed, keyReport(c), history, time.Time{}
}

// restored is for a pair that is back in the database: the report names what is
// stored, whatever becomes of the own site.
func (r *TenantReport) restored(pair Stored, history int) {
	r.Certificate, r.Previous, r.History, r.rowEnds = certificateReport(pair.Certificate), nil, history, time.Time{}
}

func (r *TenantReport) skipPeers(t *Tenant, why string) {
	r.Peers = make([]PeerReport, len(t.Peers))
	for i, p := range t.Peers {
		r.Peers[i] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Detail: why}
	}
}

// wentBack is for an own site that does not use the new key any more, or of which
// that is not known.
func (r *TenantReport) wentBack(err error) {
	if errors.Is(err, ErrConflict) || errors.Is(err, errNotSeen) { // it uses a newer one, or nothing is known against it
		if r.Exit != ExitOwnSite {
			r.Exit = ExitPeers
		}
		return
	}
	r.Outcome, r.SelfCheck, r.Exit = Failed, SelfFailed, ExitOwnSite
}

func (r *TenantReport) warn(line string) { r.Warnings = append(r.Warnings, line) }
