package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// A site that has moved, for example from http to https or to another domain, has its new wwwroot
// in config.php and the old one in its local host row. Moodle names itself by that row in every
// signed and sealed document (mnet/lib.php), corrects the row only when it replaces its key
// (mnet/environment.php, replace_keys), and answers at the new wwwroot alone. So until its key is
// renewed, the site is called at one wwwroot and answers under another: see Tenant.Configured.

// MoveError says why a site cannot be moved as requested.
type MoveError struct{ Problem, Advice string }

func (e *MoveError) Error() string { return e.Problem }

// Hint is what to do about it.
func (e *MoveError) Hint() string { return e.Advice }

// movedStore reads a site that has moved under its old wwwroot, as long as the local host row has
// it.
type movedStore struct {
	Store
	from string
}

// Read implements Store.
func (s movedStore) Read(ctx context.Context) (*Tenant, error) {
	t, err := s.Store.Read(ctx)
	if err == nil && t.Own != nil && envelope.SameWwwroot(t.Own.Wwwroot, s.from) && !envelope.SameWwwroot(s.from, t.Wwwroot) {
		t.Wwwroot, t.Configured = t.Own.Wwwroot, t.Wwwroot
	}
	return t, err
}

// moved is the member with a store that knows its old wwwroot.
func (m Member) moved(from string) Member {
	open := m.Open
	m.Open = func(ctx context.Context) (*Session, error) {
		s, err := open(ctx)
		if err != nil {
			return nil, err
		}
		session := *s
		session.Store = movedStore{s.Store, from}
		return &session, nil
	}
	return m
}

// renamed is the wwwroot that the local host row must get, "" if it stays the same.
func (t *Tenant) renamed(wwwroot string) string {
	if envelope.SameWwwroot(t.Wwwroot, wwwroot) {
		return ""
	}
	return wwwroot
}

// named is the tenant with a retired pair as its pair, under the wwwroot of that pair's
// certificate: that of MovedFrom if the pair was retired by the move.
func (r *Renewal) named(t *Tenant, pair Stored) *Tenant {
	before := *t
	before.Pair = pair
	if c, err := envelope.ParseCertificate(pair.Certificate); err == nil && r.madeForOld(c) {
		before.Wwwroot, before.Configured = cmp.Or(c.SubjectAltName, r.MovedFrom), t.address()
	}
	return &before
}

// madeForOld reports whether a certificate was made before the move.
func (r *Renewal) madeForOld(c *envelope.Certificate) bool {
	return r.MovedFrom != "" && (envelope.SameWwwroot(c.SubjectAltName, r.MovedFrom) || c.CheckWwwroot(r.MovedFrom) == nil)
}

// movedFrom is another wwwroot for which one of the site's keys was made; "" if there is none. The
// site has moved from there, or is a copy: after a move that was not finished, members may have it.
func (t *Tenant) movedFrom() string {
	for _, c := range t.certificates() {
		if name := c.SubjectAltName; name != "" && !envelope.SameWwwroot(name, t.address()) {
			return name
		}
	}
	return ""
}

// nameBefore is the wwwroot before the move, as the site spelled it and peers have it: --from may have
// other letters.
func (t *Tenant) nameBefore(from string) string {
	if t.Configured != "" {
		return t.Wwwroot
	}
	for _, c := range t.certificates() {
		if envelope.SameWwwroot(c.SubjectAltName, from) {
			return c.SubjectAltName
		}
	}
	return from
}

// movesFrom is the wwwroot before the move, "" if the tenant does not move.
func (t *renewing) movesFrom() string {
	if t.report.Moved == nil {
		return ""
	}
	return t.report.Moved.From
}

// settled reports whether the site has the key and the row of its new wwwroot: then a move only has
// to push them.
func (r *Renewal) settled(t *Tenant) bool {
	id := t.identity()
	return t.Configured == "" && id != nil && r.mayKeep(t) == nil && id.Key.Certificate.CheckWwwroot(t.Wwwroot) == nil
}

// mayMove finds what must prevent a move, and changes nothing: rows of another site must not be
// taken for those of this one.
func (r *Renewal) mayMove(ctx context.Context, t *Tenant, rows PeerRows) error {
	if envelope.SameWwwroot(r.MovedFrom, t.address()) {
		return &MoveError{"--from is the wwwroot that the site has in config.php: " + t.address(), "give the old wwwroot with --from, and write the new one into config.php first"}
	}
	if err := t.checkLocalRow(); err != nil {
		return err
	}
	if !t.MNetOn() && !t.DispatcherForced {
		return errMoveOff
	}
	var err error
	if t.Configured == "" {
		err = r.hasMoved(t)
	}
	if err == nil {
		err = r.isAlone(ctx, t, rows)
	}
	if err != nil {
		return err
	}
	return r.hasLeft(ctx, t)
}

// isAlone makes sure that no other row of the site's own database has the wwwroot that the local
// host row does not have yet, or would have again if the move was undone: Moodle would confuse the
// two rows.
func (r *Renewal) isAlone(ctx context.Context, t *Tenant, rows PeerRows) error {
	wwwroot := cmp.Or(t.Configured, r.MovedFrom)
	others, err := rows.RowsNamed(ctx, wwwroot)
	if err != nil {
		return fmt.Errorf("look for other rows of the site's own database: %w", err)
	}
	if len(others) == 0 {
		return nil
	}
	advice := nextNamesake(wwwroot, others[0])
	if t.Configured == "" {
		advice = "the local host row has the new wwwroot already, and that row may be another site's: to push the key, run: renew_mnetkeys push"
	}
	return &MoveError{fmt.Sprintf("the site's own database has another mnet_host row (id %d) with the wwwroot %s", others[0], wwwroot), advice}
}

// nextNamesake is the next step for another row with the site's own wwwroot. It keeps the row, for
// the users who refer to it.
func nextNamesake(wwwroot string, id int64) string {
	return fmt.Sprintf("Moodle would confuse the two rows. See which users refer to it (user.mnethostid), then give it another wwwroot: UPDATE mdl_mnet_host SET wwwroot = '%s#unused', deleted = 1 WHERE id = %d", sqlText(wwwroot), id)
}

// errMoveOff is ErrMNetOff with another hint: --newkey would refuse the row with the old wwwroot.
var errMoveOff = error(&hinted{ErrMNetOff.Error(), "enable MNet in Moodle: Site administration > Networking. Then run: renew_mnetkeys …"})

// hasMoved checks the old wwwroot of a site whose local host row has the new one already: a key
// that was made for it shows that it was this site's.
func (r *Renewal) hasMoved(t *Tenant) error {
	if slices.ContainsFunc(t.certificates(), r.madeForOld) {
		return nil
	}
	return &MoveError{"the site's own mnet_host row has the wwwroot " + t.Wwwroot + " already, and none of its keys was made for " + r.MovedFrom,
		"check --from. If the site was there once, its old keys are gone: change the wwwroot in the peers' rows of this site, then push the key"}
}

// hasLeft makes sure that no other site answers at the old wwwroot. If one does, this site may be a
// copy of it, with a copied config.php, and would take over its peers; or the rows with the old
// wwwroot have become those of another site. A copy is often made where the original cannot be
// reached, so no answer shows nothing.
func (r *Renewal) hasLeft(ctx context.Context, t *Tenant) error {
	limited, cancel := context.WithTimeout(ctx, hasLeftLimit)
	defer cancel()
	_, failure := r.Network.PublicKey(limited, Peer{Wwwroot: r.MovedFrom, Application: "moodle", ServerURL: localServerURL})
	const copied = "if this site is a copy, do not move it: it would take over the peers of the original. If it has really moved, make the web server at the old wwwroot redirect to the new one"
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask at %s: %w", r.MovedFrom, ctx.Err())
	case failure == nil, failure.Other != "" && !envelope.SameWwwroot(failure.Other, t.address()):
		return &MoveError{"a site with MNet still answers at " + r.MovedFrom, copied + ", then run: renew_mnetkeys …"}
	case failure.hides():
		return &MoveError{"it is not known whether a site with MNet is still at " + r.MovedFrom + ": " + failure.Error(),
			copied + ", or take its name out of the DNS. Then run: renew_mnetkeys …"}
	}
	return nil
}

// hides reports whether a site with MNet may be where a call failed so: behind a firewall or a
// login, too busy, or in maintenance.
func (f *Failure) hides() bool {
	switch f.Reason {
	case ReasonConnect:
		return !f.Refused
	case ReasonDNS:
		var dns *net.DNSError
		return errors.As(f.Err, &dns) && !dns.IsNotFound
	case ReasonTimeout, ReasonInterrupted, ReasonTLS, ReasonHTTP401, ReasonHTTP403, HTTPReason(http.StatusTooManyRequests):
		return true
	}
	return f.Reason.IsServerError()
}

// hasLeftLimit is how long the old wwwroot may take to answer.
const hasLeftLimit = 10 * time.Second

// MoveReport is what a report says of a move.
type MoveReport struct {
	From string `json:"from"` // the old wwwroot
	// Message is a text for the administrators of peers outside that do not use the new wwwroot
	// yet; "" if there are none, or if nothing was changed.
	Message string `json:"message,omitempty"`
}

// reportMove says what is still to be done at peers that may have the old wwwroot: by their
// administrators, or by the same command if they are members.
func (r *Renewal) reportMove(report *TenantReport, t *Tenant, inside func(wwwroot string) bool) {
	for i := range report.Peers {
		// A member's next step is the same move once more.
		if p := &report.Peers[i]; !inside(p.Wwwroot) && p.needsNewName() {
			p.Next = "send the message of this run to the peer's administrator: the peer must replace " + report.Moved.From + " by " + t.Wwwroot
			report.Moved.Message = moveMessage(report.Moved.From, t)
		}
	}
}

// needsNewName reports whether a peer does not know the new wwwroot, or was not reached, so that it
// may not know it.
func (p *PeerReport) needsNewName() bool {
	return p.Outcome == Refused && p.Reason == ReasonUnknownToPeer || p.Outcome == Pending && p.Reason != ReasonLocalSite && p.Reason != ReasonNotStored
}
