package rotate

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// Exit codes of the command, stable (users script against them).
const (
	ExitOK         = 0 // all proven, or no key due
	ExitNotRenewed = 1 // not renewed, nothing changed, or undone
	ExitUsage      = 2 // usage or configuration
	ExitPeers      = 3 // renewed, but a peer is pending or refused
	ExitLocalSite  = 4 // the local site does not use the stored key
	ExitLocked     = 5 // another run has the lock
)

// Outcome of a tenant.
type Outcome string

// The outcomes of a tenant.
const (
	Renewed Outcome = "renewed" // the new key is stored and in use
	Kept    Outcome = "kept"    // the key was left as it is
	Undone  Outcome = "undone"  // the old key was restored, because the local site kept using it
	Failed  Outcome = "failed"
)

// SelfCheck is the result of the sealed call to the local site.
type SelfCheck string

// The results of the proof of the local site.
const (
	SelfProven      SelfCheck = "proven"
	SelfNoRC4       SelfCheck = "no_rc4"      // shows the new certificate, but OpenSSL has no RC4
	SelfUnreachable SelfCheck = "unreachable" // no MNet site answers at the local wwwroot from here
	SelfSkipped     SelfCheck = "skipped"
	SelfFailed      SelfCheck = "failed" // answers, but does not use the stored key
)

// PeerOutcome is the result for a peer.
type PeerOutcome string

// The outcomes of a peer.
const (
	Accepted PeerOutcome = "accepted" // proven at once
	Healed   PeerOutcome = "healed"   // proven after it fetched the key itself
	Pending  PeerOutcome = "pending"  // not reached, or not judged
	Refused  PeerOutcome = "refused"  // does not use the new key, as its answer or, without a call, the databases show
	Skipped  PeerOutcome = "skipped"
	Ignored  PeerOutcome = "ignored" // not proven, and matches IgnorePeers: it does not count
)

// Proven reports whether a sealed call showed that the peer has the new key.
func (o PeerOutcome) Proven() bool { return o == Accepted || o == Healed }

// TenantReport is the result of the renewal of one tenant. Its JSON form is the contract of --json.
type TenantReport struct {
	Wwwroot   string    `json:"wwwroot"`
	Outcome   Outcome   `json:"outcome"`
	Error     string    `json:"error"`
	Hint      string    `json:"hint"` // what to do about Error, "" if nothing
	SelfCheck SelfCheck `json:"self_check"`
	// Nodes are the web servers of the local site that were asked last, in the order of --node or
	// of the addresses of its name.
	Nodes       []NodeReport `json:"nodes,omitempty"`
	Certificate *KeyReport   `json:"certificate,omitempty"`
	Previous    *KeyReport   `json:"previous,omitempty"`
	History     int          `json:"history"` // retired pairs kept
	Peers       []PeerReport `json:"peers"`

	// Retired are the retired certificates, newest first (status).
	Retired []KeyReport `json:"archive,omitempty"`

	// Back is the retired pair that a rollback would make current again, nil if it could not (status).
	// NoBack is the reason then.
	Back   *KeyReport `json:"-"`
	NoBack error      `json:"-"`

	// Findings are what the diagnosis has found (doctor).
	Findings []Finding `json:"findings,omitempty"`

	// Moved says what is to be done after a move (move).
	Moved *MoveReport `json:"moved,omitempty"`

	// Site is additional information about the site (doctor).
	Site *SiteReport `json:"site,omitempty"`

	// Err is the cause of Error, for exit codes and hints.
	Err error `json:"-"`
	// Warnings are lines for people; they change no outcome.
	Warnings []string `json:"-"`
	// Unconfirmed: the wwwroot is what --host says, and nothing that was read confirms it.
	Unconfirmed bool `json:"-"`
	// NotDue is set if a renewal keeps the key, or would, because it does not expire soon or is
	// younger than --fresh. DueAt is when the key becomes due, with --if-due.
	NotDue bool      `json:"-"`
	DueAt  time.Time `json:"-"`
	// Exit is the exit code of this tenant.
	Exit int `json:"-"`

	deleted   []string  // Tenant.Deleted
	hidden    []string  // Tenant.Hidden
	movedFrom string    // a wwwroot that the site may have had before, "" if none is known
	rowEnds   time.Time // expiry of the key in the local host row, zero if there is no such row
}

// Ends is when Moodle considers the key expired: at the expiry of its certificate, or earlier if
// the local host row says so. ok is false if no certificate is known.
func (r *TenantReport) Ends() (end time.Time, ok bool) {
	switch {
	case r.Certificate == nil:
		return time.Time{}, false
	case !r.rowEnds.IsZero() && r.rowEnds.Before(r.Certificate.NotAfter):
		return r.rowEnds, true
	}
	return r.Certificate.NotAfter, true
}

// Life is the whole lifetime of the key. known is false if no certificate is known.
func (r *TenantReport) Life() (life time.Duration, known bool) {
	if r.Certificate == nil || r.Certificate.NotBefore == nil {
		return 0, false
	}
	return r.Certificate.NotAfter.Sub(*r.Certificate.NotBefore), true
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
	Reason      Reason      `json:"reason"` // stable code, "" if proven at once
	Detail      string      `json:"detail"`
	Next        string      `json:"next"` // what to do about it, "" if nothing
	Attempts    int         `json:"attempts"`
	TookMS      int64       `json:"took_ms"`

	// Certificate is this site's copy of the peer's certificate (status).
	Certificate *KeyReport `json:"certificate,omitempty"`
	// Holds says which certificate of this site the peer has, if its database is available:
	// current, archived, other, none (status).
	Holds string `json:"holds,omitempty"`
	// Member says that the peer is a site of the array that is surveyed, whether its database was
	// read or not.
	Member bool `json:"-"`

	// Use is how the link is used (doctor).
	Use *LinkUse `json:"use,omitempty"`

	back     bool   // what failed is the peer's own call to this site
	noRow    bool   // as in Failure
	lacksRow string // of a status: that the peer has no active row of this site, in words
	misnamed bool   // the peer's certificate names the peer, but not as this site's row of it does
	itself   bool   // what failed is the proof of the peer's own key, which its web server was asked for
}

// NodeReport is what one web server of the local site showed.
type NodeReport struct {
	Address   string    `json:"address"` // as --node names it, or an address of the site's name; beside --node also the wwwroot
	SelfCheck SelfCheck `json:"self_check"`
	Reason    Reason    `json:"reason"` // "" if it was proven, or not called
	Detail    string    `json:"detail"`

	// Other is the wwwroot of another site that answers there, "" if none does.
	Other string `json:"-"`

	asked   []string // the --node, none if none was given
	pending bool     // as in Failure
	byName  bool     // it was asked by its name beside --node
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

// changedOrUnknown says why links are not proven although the local site was.
func changedOrUnknown(err error) string {
	if errors.Is(err, errNotSeen) {
		return errNotSeen.Error()
	}
	return "the key of the local site was changed meanwhile"
}

// weighLinks undoes the proofs by calls to peers, unless the local site was proven too, and finds
// them in its table: a link has two sides. At the end it marks the peers that do not count. lost is the
// error of the last look at the local site, nil if there was none.
func (r *Renewal) weighLinks(report *TenantReport, localProven bool, lost error) {
	for i := range report.Peers {
		p := &report.Peers[i]
		switch why := cmp.Or(report.localSiteWords(), changedOrUnknown(lost)); {
		case !localProven && p.Outcome.Proven():
			p.fail(&Failure{Reason: ReasonLocalSite, Detail: join("the peer is in order, but "+why, p.Detail), Pending: true})
		case !localProven && p.back && report.SelfCheck.silent(): // so nobody's call succeeds
			p.fail(&Failure{Reason: ReasonLocalSite, Detail: "the peer is in order, but " + why, Pending: true})
		case p.dependsOnRow():
			if f := report.localRowFailure(p.Wwwroot); f != nil {
				p.fail(f)
			} else if p.misnamed && NotFound(p.Wwwroot) { // beside the right row
				p.Next = twoRowsHere().Next
			}
		}
	}
	r.ignore(report)
}

// joinRows makes one link of the rows of one peer that Moodle confuses. Until then each is worked on
// by itself, so that each has the certificate of the peer.
func (r *TenantReport) joinRows() {
	if len(r.hidden) == 0 {
		return
	}
	joined := make([]PeerReport, 0, len(r.Peers))
	for _, p := range r.Peers {
		at := -1
		if slices.Contains(r.hidden, p.Wwwroot) {
			at = slices.IndexFunc(joined, func(q PeerReport) bool {
				return slices.Contains(r.hidden, q.Wwwroot) && envelope.SameWwwroot(q.Wwwroot, p.Wwwroot)
			})
			if p.Outcome == Skipped { // status
				p.Detail = join(twoRowsHere().Detail, p.Detail)
			}
		}
		if at < 0 {
			joined = append(joined, p)
			continue
		}
		first := &joined[at]
		if p.Use.InUse() && !first.Use.InUse() {
			first.Use = p.Use
		}
		if p.Reason == ReasonTwoRows { // the other's call may have failed for another reason
			p.Use = first.Use
			*first = p
		}
	}
	r.Peers = joined
}

// dependsOnRow reports whether the local site's row of the peer decides about the link: the peer's
// calls, with which it also fetches a key, are refused if Moodle does not find that row, and under the
// row's wwwroot no certificate of the peer is right.
func (p *PeerReport) dependsOnRow() bool {
	return p.Outcome.Proven() || p.back || p.misnamed || p.Reason == ReasonFault710 || p.Reason == ReasonFault7025
}

// localRowFailure is what is wrong with the local site's row of a peer: nil if Moodle finds it. Of a
// row with a slash at its end beside a right one, nothing is said: that one is found.
func (r *TenantReport) localRowFailure(wwwroot string) *Failure {
	same := func(other string) bool { return !NotFound(other) && envelope.SameWwwroot(other, wwwroot) }
	switch {
	case slices.Contains(r.hidden, wwwroot):
		return twoRowsHere()
	case !NotFound(wwwroot) || slices.ContainsFunc(r.Peers, func(p PeerReport) bool { return same(p.Wwwroot) }):
		return nil
	case slices.ContainsFunc(r.deleted, same):
		return twoRowsHere()
	}
	return notFoundHere()
}

// localSiteWords say what was not proven about the local site, "" if nothing.
func (r *TenantReport) localSiteWords() string {
	if r.SelfCheck == SelfFailed && !r.shown().usesAnotherKey() {
		return "the local site was not proven to use the stored key"
	}
	return localSiteWords[r.SelfCheck]
}

// localSiteWords say what was not proven about the local site.
var localSiteWords = map[SelfCheck]string{
	SelfSkipped:     "the local site was not asked which key it uses",
	SelfUnreachable: "the local site could not be asked which key it uses",
	SelfNoRC4:       "the local site cannot do RC4, so it can make and open no sealed call",
	SelfFailed:      "the local site does not use the stored key",
}

func (r *TenantReport) describe(t *Tenant) {
	r.Wwwroot, r.History, r.movedFrom = t.address(), len(t.History), t.movedFrom()
	r.deleted, r.hidden = t.Deleted, t.Hidden
	if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil {
		r.Certificate = keyReport(c)
		if t.Own != nil {
			r.rowEnds = t.ends(c)
		}
	}
}

// isCopy forgets a wwwroot that the site may have had before if another site of the array has it: this
// one has not moved then.
func (r *TenantReport) isCopy(isSite func(wwwroot string) bool) {
	unknown := func(p PeerReport) bool { return p.Reason == ReasonUnknownToPeer }
	if r.movedFrom != "" && slices.ContainsFunc(r.Peers, unknown) && isSite(r.movedFrom) {
		r.movedFrom = ""
	}
}

// renewed moves the certificate described before to previous, which has no not_before in the
// contract.
func (r *TenantReport) renewed(c *envelope.Certificate, history int) {
	if old := r.Certificate; old != nil {
		r.Previous = &KeyReport{SHA256: old.SHA256, NotAfter: old.NotAfter}
	}
	r.Outcome, r.Certificate, r.History, r.rowEnds = Renewed, keyReport(c), history, time.Time{}
}

// restored is for a pair that is back in the database: the report names the stored pair, whatever
// the local site uses.
func (r *TenantReport) restored(pair Stored, history int) {
	r.Certificate, r.Previous, r.History, r.rowEnds = certificateReport(pair.Certificate), nil, history, time.Time{}
}

func (r *TenantReport) skipPeers(t *Tenant, why string) {
	r.Peers = make([]PeerReport, len(t.Peers))
	for i, p := range t.Peers {
		r.Peers[i] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Detail: why}
	}
}

// wentBack is for a local site that does not use the new key any more, or for which that is not
// known.
func (r *TenantReport) wentBack(err error) {
	if errors.Is(err, ErrConflict) || errors.Is(err, errNotSeen) { // a newer key, or nothing known
		if r.Exit != ExitLocalSite {
			r.Exit = ExitPeers
		}
		return
	}
	r.Outcome, r.SelfCheck, r.Exit = Failed, SelfFailed, ExitLocalSite
}

func (r *TenantReport) warn(line string) { r.Warnings = append(r.Warnings, line) }

// takeBack removes a warning that is no longer so, and reports whether there was one.
func (r *TenantReport) takeBack(line string) bool {
	before := len(r.Warnings)
	r.Warnings = slices.DeleteFunc(r.Warnings, func(w string) bool { return w == line })
	return len(r.Warnings) < before
}
