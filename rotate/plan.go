package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// Plan is the dry run: it finds out what Run would do, without changing anything here or at a peer.
// It takes no lock, makes no key, writes no row, and sends no keyswap; it only connects to peers.
// It asks the local site by a sealed call if pair and host row agree; if they do not, the call
// itself would make the site repair its row.
func (r *Renewal) Plan(ctx context.Context) TenantReport {
	keeps := func(t *Tenant) bool { return !r.Due.due(t, r.Now()) }
	return r.planned(ctx, r.checkDue, keeps, func(t *Tenant, report *TenantReport) (string, error) {
		if keeps(t) {
			report.NotDue, report.DueAt = true, r.Due.dueAt(t)
			return "would be tested; if the test fails, the certificate is sent again", nil
		}
		if t.isFull() {
			report.warn(fmt.Sprintf("the key history is full (%d keys): unless every peer is proven, a peer may need the oldest one, which would be dropped", len(t.History)))
		}
		return wouldBeSent("new"), nil
	})
}

// PlanDistribute is the dry run of Distribute.
func (r *Renewal) PlanDistribute(ctx context.Context) TenantReport {
	keeps := func(*Tenant) bool { return true }
	return r.planned(ctx, r.mayKeep, keeps, func(*Tenant, *TenantReport) (string, error) { return wouldBeSent("stored"), nil })
}

// PlanRollBack is the dry run of RollBack.
func (r *Renewal) PlanRollBack(ctx context.Context) TenantReport {
	keeps := func(*Tenant) bool { return false }
	return r.planned(ctx, r.mayGoBack, keeps, func(t *Tenant, report *TenantReport) (string, error) {
		retired, _, err := r.goesBackTo(t)
		if err == nil {
			report.warn("would go back to the certificate with sha256 " + retired.Key.Certificate.Fingerprint() + ", valid until " + FormatTime(retired.Key.Certificate.NotAfter))
		}
		return wouldBeSent("previous"), err
	})
}

func wouldBeSent(which string) string {
	return "would be sent the " + which + " certificate, then tested by a sealed call"
}

// planned finds out what a run would meet. may says what stops the run before it asks the local site,
// keeps whether it leaves the stored key as it is, and check what the run would do with a peer, or
// what prevents the run.
func (r *Renewal) planned(ctx context.Context, may func(*Tenant) error, keeps func(*Tenant) bool, check func(*Tenant, *TenantReport) (string, error)) TenantReport {
	return r.reported(ctx, func(ctx context.Context, report *TenantReport) error {
		t, err := r.load(ctx)
		if err != nil {
			return err
		}
		report.describe(t)
		if err := may(t); err != nil {
			return err
		}
		if err := r.plan(ctx, t, keeps(t), report); err != nil {
			return err
		}
		what, err := check(t, report)
		if err != nil {
			return err
		}
		peers, refused, say := r.planBinding(ctx, t)
		report.Peers = append(r.tryPeers(ctx, peers, what), refused...)
		say(report)
		report.Outcome = Kept
		r.weighPlan(report)
		report.exitByPlan(r.SelfCheck)
		return nil
	})
}

// plan finds out what a run would do with the local site. t gets the keys that the run would put
// into the history. A run that keeps the key leaves a site alone that uses it: whether the cache
// could be purged does not matter then.
func (r *Renewal) plan(ctx context.Context, t *Tenant, keeps bool, report *TenantReport) error {
	r.planning = true
	if keeps { // a server that is read-only refuses its locking reads, too
		if err := r.Store.CheckRights(ctx); errors.Is(err, ErrReadOnly) {
			return fmt.Errorf("%s: %w", noNewKey, err)
		}
	}
	if r.NewKey && t.isOff() {
		if err := r.mayStart(ctx, t); err != nil {
			return err
		}
		what, _ := t.start()
		report.warn(what)
		return r.rescue(ctx, t, usesUnknown)
	}
	check, failure, err := r.examine(ctx, t, !keeps)
	report.SelfCheck = check
	switch {
	case err != nil:
		return err
	case t.identity() == nil:
		report.warn("no readable key pair is stored; a renewal would repair that")
	case t.Own.Certificate != t.Pair.Certificate:
		report.warn("key pair and local host row differ; a renewal would repair that")
	case r.expiring(t):
		report.warn("the key has expired; the local site is not called, because that would make it renew by itself")
	}
	switch seen := r.seen(t); {
	case stale(check, failure):
		return r.planCure(ctx, t, failure, keeps, report)
	case keeps && seen == usesStored:
		return r.keepEmptied(ctx, t, report)
	default:
		return r.rescue(ctx, t, seen)
	}
}

// planCure is what a run does first with a web server that does not use what is stored.
func (r *Renewal) planCure(ctx context.Context, t *Tenant, failure *Failure, keeps bool, report *TenantReport) (err error) {
	if r.anotherRuns(ctx) { // which may be about to purge it
		report.SelfCheck = SelfSkipped
		return fmt.Errorf("%w: %w", ErrUnderWay, ErrLocked)
	}
	if report.SelfCheck, err = r.keepUsed(ctx, t, failure); err != nil || report.SelfCheck == SelfProven {
		return err
	}
	if keeps {
		if err := r.planGoingBack(ctx, t, failure); err != nil {
			return err
		}
	}
	what, code := "does not use the stored key", ExitLocalSite
	if failure.Reason == ReasonMNetOff {
		what, code = "says that MNet is off", ExitNotRenewed
	}
	after := fmt.Sprintf("nothing is stored and the exit code is %d", code)
	if keeps && code == ExitLocalSite {
		after = fmt.Sprintf("a key of the history that it uses is stored again (exit code %d); with any other key the exit code is %d", ExitNotRenewed, code)
	}
	report.warn(fmt.Sprintf("the web server %s (%v): its cache would be purged first. If the web server says the same after that, %s", what, failure, after))
	return nil
}

// planGoingBack says why a run that keeps the key cannot make the web server use it. Such a run gives
// the web server's key back, if it knows that key, also from the cache. Of a web server that says that
// MNet is off, no key was seen.
func (r *Renewal) planGoingBack(ctx context.Context, t *Tenant, failure *Failure) error {
	err := r.mayPurge(ctx, t)
	if err == nil || errors.Is(err, ErrCacheManual) {
		return nil
	}
	if _, known := r.shownPair(ctx, t); !known && failure.Reason != ReasonMNetOff {
		return fmt.Errorf("%w: %w", ErrNotFollowed, err)
	}
	return err
}

// weighPlan is weighLinks for peers that would be pushed to.
func (r *Renewal) weighPlan(report *TenantReport) {
	for i := range report.Peers {
		p := &report.Peers[i]
		if f := report.localRowFailure(p.Wwwroot); f != nil && p.Outcome == Skipped {
			p.fail(f)
		}
	}
	r.ignore(report)
}

// exitByPlan is the expected exit code of the run, as far as it can be known: it is not known for a
// site that is not asked now, or that may be cured by purging its cache.
func (r *TenantReport) exitByPlan(mode SelfCheckMode) {
	r.Exit = ExitOK
	if r.Unproven() > 0 || r.SelfCheck == SelfNoRC4 || mode == SelfCheckOff {
		r.Exit = ExitPeers
	}
}

// planBinding gives the tenant's peers together with the hosts that would be connected, and those that
// would not be. say notes what would be connected, after the peers were tried.
func (r *Renewal) planBinding(ctx context.Context, t *Tenant) (peers []Peer, refused []PeerReport, say func(*TenantReport)) {
	peers = slices.Clone(t.Peers)
	there := make([]rowChange, len(r.Bind))
	r.eachLink(func(i int, link Link) { there[i] = r.changeThere(ctx, t, link) })
	for _, link := range r.Bind {
		here := t.changeOf(link.Wwwroot)
		if here == rowRevived && t.deletedRows(link.Wwwroot) > 1 {
			p := PeerReport{Wwwroot: link.Wwwroot, Application: "moodle"}
			p.fail(notConnected(ErrTwoRows))
			refused = append(refused, p)
			continue
		}
		if here != rowKept {
			peers = append(peers, NewPeer(link.Wwwroot))
		}
	}
	return peers, refused, func(report *TenantReport) {
		for i, link := range r.Bind {
			here := t.changeOf(link.Wwwroot)
			if there[i] == rowNotFound || here != rowKept && report.refuses(link.Wwwroot) {
				continue
			}
			report.warn(here.here(link.Wwwroot, true))
			if said := there[i].there(link.Wwwroot, true); said != "" {
				report.warn(said)
			}
		}
	}
}

// refuses reports whether a dry run has found that a peer refuses the link.
func (r *TenantReport) refuses(wwwroot string) bool {
	return slices.ContainsFunc(r.Peers, func(p PeerReport) bool {
		return p.Outcome == Refused && envelope.SameWwwroot(p.Wwwroot, wwwroot)
	})
}

func (r *Renewal) binds(wwwroot string) bool {
	return slices.ContainsFunc(r.Bind, func(link Link) bool { return envelope.SameWwwroot(link.Wwwroot, wwwroot) })
}

// planFarSide is what a run would find wrong on the side of a peer whose database is available: a
// site with MNet off accepts connections, too. As in an array, such a peer proves its own key.
func (r *Renewal) planFarSide(ctx context.Context, p Peer) *Failure {
	far := r.farSide(ctx, p)
	f := cmp.Or(far.unread, far.broken)
	switch {
	case !r.binds(p.Wwwroot):
		f = cmp.Or(f, far.rowFault())
	case far.Counterpart != nil && far.NotFound:
		if f = cmp.Or(f, far.rowFault()); f.Reason == ReasonUnknownToPeer {
			f.Next = correctThere + thenConnect
		}
	case far.Counterpart != nil && far.SeveralDeleted: // else the run makes the rows first, on both sides
		f = cmp.Or(f, notConnected(fmt.Errorf("on its side: %w", ErrTwoRows)))
	}
	if f != nil || far.Counterpart == nil {
		return f
	}
	if check, failure := r.askFarSide(ctx, far.Site); check == SelfFailed {
		return memberFailure(p.Wwwroot, check, failure)
	}
	return nil
}

// tryPeers connects to every peer and says what a run would do with it.
func (r *Renewal) tryPeers(ctx context.Context, peers []Peer, what string) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport {
		started := r.Now()
		report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Attempts: 1,
			Detail: what}
		f := r.Network.Reachable(ctx, p)
		if f == nil {
			f = r.planFarSide(ctx, p)
		}
		if f != nil {
			report.fail(f)
		}
		if f != nil && p.ID == 0 { // it has no row yet
			report.Detail, report.Next = join(report.Detail, "not connected as a peer"), nextConnect
		}
		report.TookMS = r.Now().Sub(started).Milliseconds()
		return report
	})
}
