package rotate

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"renew_mnetkeys/envelope"
)

// farSide is what is known of a peer's side of a link before the peer is called.
type farSide struct {
	*Counterpart          // nil if its database is not available
	unread       *Failure // why its side cannot be judged, although the peer is, or may be, a site of the array
	isMember     bool     // it is
	// broken is what its database alone shows: the link cannot be proven, and a sealed call could
	// make the peer's Moodle write.
	broken *Failure
}

// farSide reads the peer's side of a link.
func (r *Renewal) farSide(ctx context.Context, p Peer) (far farSide) {
	other, err := r.counterpart(ctx, p)
	switch {
	case err != nil:
		far.unread, far.isMember = databaseFailure(ctx, "its database: ", err), !errors.Is(err, ErrNoRegister)
	case other != nil:
		far.Counterpart, far.broken = other, r.notToAsk(other.Site)
	}
	return far
}

// counterpart is the other side of a link, nil if its database is not available. It is an error if
// that database belongs to another site.
func (r *Renewal) counterpart(ctx context.Context, p Peer) (*Counterpart, error) {
	if r.Counterpart == nil {
		return nil, nil
	}
	other, err := r.Counterpart(ctx, p)
	if err != nil || other == nil {
		return nil, err
	}
	r.knowRow(ctx, other.Site)
	if err := other.Site.notOther(); err != nil {
		return nil, err
	}
	return other, nil
}

// knowRow finds out whether a local host row with another wwwroot is that of a site of the array.
func (r *Renewal) knowRow(ctx context.Context, t *Tenant) {
	if t.Own != nil && t.checkLocalRow() != nil {
		t.RowIsMember = r.isSite(ctx, t.Own.Wwwroot)
	}
}

// CounterpartOf is a site, read from its own database, as the counterpart of the site with this
// wwwroot. The Peers of t must have all fields.
func CounterpartOf(t *Tenant, wwwroot string) *Counterpart {
	c := &Counterpart{Site: t, Unknown: true}
	for _, p := range t.Peers {
		if envelope.SameWwwroot(p.Wwwroot, wwwroot) && !NotFound(p.Wwwroot) {
			c.Another = c.Another || slices.Contains(t.Hidden, p.Wwwroot)
			if c.Unknown || p.Wwwroot == wwwroot {
				c.Holds, c.Unknown, c.Misspelt = p.Certificate, false, p.Wwwroot != wwwroot
			}
		}
	}
	if c.Unknown {
		c.Another = slices.ContainsFunc(t.Deleted, func(deleted string) bool { return !NotFound(deleted) && envelope.SameWwwroot(deleted, wwwroot) })
		c.NotFound = !c.Another && slices.ContainsFunc(t.Peers, func(p Peer) bool { return envelope.SameWwwroot(p.Wwwroot, wwwroot) })
		c.SeveralDeleted = t.deletedRows(wwwroot) > 1
	}
	return c
}

// verifyFarSide judges a link on which the peer was called. If the peer's database is available,
// the peer's own call to this site is made too: the link is then proven in both directions, or not
// at all. A link that is not proven may be the fault of the peer's web server. This is found out as
// for a member of an array, and said in the same words.
func (r *Renewal) verifyFarSide(ctx context.Context, own Identity, p Peer, far farSide, proof Proof, report *PeerReport) {
	if report.Outcome.Proven() && !far.fits(own, proof) {
		far = r.farSide(ctx, p) // the call healed it, or the peer has renewed its key meanwhile
	}
	switch f := cmp.Or(far.unread, far.broken); {
	case f != nil && (report.Outcome.Proven() || far.isMember && far.unread != nil): // as for all: a member's database decides
		report.fail(f)
	case far.Counterpart == nil:
	default:
		if far.row(own) == RowTwice && (report.Outcome.Proven() || report.refusedForRow()) { // a call does not show it
			report.fail(twoRows())
		}
		if report.Outcome.Proven() && !far.OneWay {
			r.verifyBack(ctx, own, far.Counterpart, report)
		}
		if row := far.row(own); report.outdated() && (row == KeyOther || row == KeyNone) {
			report.Next = nextMemberRow
		}
		r.verifyFarKey(ctx, p, far, proof, report)
	}
	switch {
	case report.outdated() && far.row(own) == KeyNewer:
		report.Detail, report.Next = join(newerAtPeer, report.Detail), nextRestored
	case report.Outcome == Refused && !report.back && (report.Reason == ReasonFault7023 || report.Reason == ReasonFault7025) && far.isOlder(p):
		report.fail(newerHere())
	case report.Reason == ReasonUnknownToPeer && !report.back:
		report.unknown(own, far)
	case report.Reason == ReasonFault710 && !report.back && misspelt(p):
		report.Next = NextWwwroot
	}
	r.nextOfArray(p, far, report)
}

// unknown is for a peer that does not know this site: its database may say why.
func (p *PeerReport) unknown(own Identity, far farSide) {
	switch row := far.row(own); {
	case row == NoRow:
		p.noRow = true
	case row == RowNotFound, far.Counterpart != nil && far.Misspelt:
		p.fail(notFoundThere())
	case row == RowDeleted:
		p.fail(own.hostKey().deletedRow())
	}
}

// refusedForRow reports whether the peer refused because of its row of this site: it has not found
// one, or one with another certificate.
func (p *PeerReport) refusedForRow() bool {
	return !p.back && (p.Outcome == Refused && p.Reason == ReasonUnknownToPeer || p.outdated())
}

// misspelt reports whether the peer writes its wwwroot differently from this site's row of it. The
// peer's calls, with which it fetches a key, may then find no row here: whether they do depends on
// the database.
func misspelt(p Peer) bool {
	c := certificateOf(p)
	return c != nil && c.CheckWwwroot(p.Wwwroot) != nil && c.CheckWwwroot(envelope.FoldWwwroot(p.Wwwroot)) == nil
}

// isMember reports whether a wwwroot is that of a site of the array of the run, however it is
// written.
func (r *Renewal) isMember(wwwroot string) bool { return r.members[envelope.FoldWwwroot(wwwroot)] }

// isSite is isMember for a run on one site as well: it then looks for the site's database, and a
// database that cannot be read is that of one.
func (r *Renewal) isSite(ctx context.Context, wwwroot string) bool {
	if r.isMember(wwwroot) || r.Counterpart == nil {
		return r.isMember(wwwroot)
	}
	other, err := r.Counterpart(ctx, Peer{Wwwroot: wwwroot})
	return other != nil || err != nil && !errors.Is(err, ErrNoRegister)
}

// isOlder reports whether the peer's database is older than this site's row of the peer.
func (far farSide) isOlder(p Peer) bool {
	if far.Counterpart == nil || far.Site.identity() == nil {
		return false
	}
	key, c := HostKey{Wwwroot: p.Wwwroot, Certificate: far.Site.identity().Key.Certificate, Had: far.Site.certificates()}, certificateOf(p)
	return c != nil && key.IsNewer(c)
}

// outdated reports whether the peer refused for the certificate of this site that it has, or lacks.
func (p *PeerReport) outdated() bool {
	return p.Outcome == Refused && !p.back && !p.itself && p.Reason.Row().Outdated
}

// nextOfArray gives the next step for a site of the array on which MNet is off, or that has moved:
// there is no other administrator to ask, and a move writes the rows of all.
func (r *Renewal) nextOfArray(p Peer, far farSide, report *PeerReport) {
	switch {
	case report.back || far.Counterpart == nil && !r.isMember(p.Wwwroot):
	case report.Reason == ReasonMNetOff && far.Counterpart != nil && !far.Site.isOff(): // its web server has an old setting in its cache
		report.Next = nextOfMember(p.Wwwroot)
	case report.Reason == ReasonMNetOff && r.binds(p.Wwwroot) && r.IgnorePeers.Match(p.Wwwroot):
		report.Next = nextBoundOff
	case report.Reason == ReasonMNetOff:
		report.Next = nextMemberOff
	case report.Reason.isRedirect():
		report.Next = nextOfMember(p.Wwwroot)
	}
}

// rowFault is the failure of a peer whose database has no row of this site, or several that its
// Moodle confuses: a call proves nothing then, and a push by keyswap mends nothing.
func (far farSide) rowFault() *Failure {
	switch {
	case far.Counterpart == nil:
		return nil
	case far.Unknown && far.Another:
		return &Failure{Reason: ReasonUnknownToPeer, Detail: rowIsDeleted, Next: nextRowDeleted}
	case far.NotFound:
		return notFoundThere()
	case far.Unknown:
		return noRow()
	case far.Another:
		return twoRows()
	}
	return nil
}

// fits reports whether the peer's side, as it was read before the call, is that of a link that the
// call has proven.
func (far farSide) fits(own Identity, proof Proof) bool {
	if far.Counterpart == nil {
		return true
	}
	holds := certificateOf(Peer{Certificate: far.Holds})
	return far.uses(proof) && (far.OneWay || holds != nil && holds.Equal(own.Key.Certificate))
}

// uses reports whether the proof has shown that the peer's web server uses the key that the peer's
// database has.
func (far farSide) uses(proof Proof) bool {
	return proof.Certificate != nil && proof.Certificate.Equal(far.Site.identity().Key.Certificate)
}

// verifyBack makes the peer's own call to this site.
func (r *Renewal) verifyBack(ctx context.Context, own Identity, other *Counterpart, report *PeerReport) {
	us := Peer{Wwwroot: own.Wwwroot, Application: "moodle", ServerURL: localServerURL, Certificate: other.Holds}
	if len(r.Nodes) > 0 {
		us.Node = r.Nodes[0]
	}
	proof := r.Network.Prove(ctx, *other.Site.identity(), us, nil, false)
	f := proof.Failure
	if f == nil {
		f = outdated(us, proof)
	}
	if f != nil {
		next := nextLocal(f.Reason)
		if f.Reason == ReasonUnknownToPeer && report.Wwwroot != other.Site.Wwwroot {
			next = NextWwwroot
		}
		report.back = true
		report.fail(&Failure{Reason: f.Reason, Detail: join("its call to this site fails", f.Detail), Pending: f.Pending, Next: next})
		return
	}
	report.Detail = join(report.Detail, "both ways")
}

// verifyFarKey finds out whether the peer's web server uses the key that the peer's database has,
// unless the proof has shown that it does, or the link could not be tried.
func (r *Renewal) verifyFarKey(ctx context.Context, p Peer, far farSide, proof Proof, report *PeerReport) {
	if report.Outcome == Pending || report.Outcome.Proven() && far.uses(proof) {
		return
	}
	check, f := r.askFarSide(ctx, far.Site)
	if check == SelfFailed && r.Sleep(ctx, askAgain) == nil {
		if again := r.farSide(ctx, p); again.Counterpart != nil && again.broken == nil {
			far = again
		}
		if report.Outcome.Proven() && far.uses(proof) {
			return
		}
		check, f = r.askFarSide(ctx, far.Site)
	}
	switch {
	case check == SelfFailed:
		report.back = false
		report.fail(memberFailure(p.Wwwroot, check, f))
	case report.Outcome.Proven(), outdated(p, proof) != nil && !far.uses(proof):
		report.fail(&Failure{Reason: ReasonSeveralCaches, Detail: "the peer's web server answered with another key than the one in the peer's database", Next: nextOfMember(p.Wwwroot)})
	}
}

// askFarSide asks the web server of a site of the array for its stored key, as [Array.ask] does.
// --node names web servers of the local site.
func (r *Renewal) askFarSide(ctx context.Context, site *Tenant) (SelfCheck, *Failure) {
	asker := *r
	asker.Nodes, asker.answered, asker.name = nil, nil, ownName{}
	return asker.ask(ctx, site, *site.identity(), 1)
}

// row is what the peer's row has of own: KeyPresent, KeyNone, KeyOther, KeyNewer, or what is wrong
// with the row; NotAsked if that is not known.
func (far farSide) row(own Identity) StoreResult {
	switch {
	case far.Counterpart == nil:
		return NotAsked
	case far.OneWay && far.RowOf.Equal(own.Key.Certificate):
		return far.Row
	case far.OneWay:
		return NotAsked
	}
	switch key, c := own.hostKey(), certificateOf(Peer{Certificate: far.Holds}); {
	case far.Unknown && far.Another:
		return RowDeleted
	case far.NotFound:
		return RowNotFound
	case far.Unknown:
		return NoRow
	case far.Another:
		return RowTwice
	case c == nil:
		return KeyNone
	case key.Certificate.Equal(c):
		return KeyPresent
	case key.IsNewer(c):
		return KeyNewer
	}
	return KeyOther
}

// hostKey is the identity as it is compared with rows of other sites.
func (id Identity) hostKey() HostKey {
	key := HostKey{Wwwroot: id.Wwwroot, Certificate: id.Key.Certificate}
	if id.Retired != nil {
		for _, pair := range id.Retired() {
			key.Had = append(key.Had, pair.Certificate)
		}
	}
	return key
}
