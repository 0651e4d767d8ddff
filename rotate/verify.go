package rotate

import (
	"context"
	"errors"
	"fmt"

	"renew_mnetkeys/envelope"
)

// Counterpart is a peer whose database is available, like a tenant of the same array: its row of
// this site can be read, and its call to this site can be made.
type Counterpart struct {
	Site  *Tenant // the peer, as its own database has it
	Holds string  // the certificate in its row of this site, PEM; "" if it has none
	// Unknown: it has no active row of this site that its Moodle finds, which no push makes.
	Unknown bool
	// Another: it has a second row of this site, deleted or not, which its Moodle may find in place of
	// the active one; if Unknown, a deleted one.
	Another bool
	// NotFound: it has an active row of this site that its Moodle does not find, and no other one.
	NotFound bool
	// Misspelt: the row has other capitals than this site's name; whether its Moodle finds it depends on
	// the database.
	Misspelt bool
	// SeveralDeleted: it has no active row of this site, and several deleted ones, of which a
	// connection revives none.
	SeveralDeleted bool
	// OneWay: its rows were not read, so its call to this site is not made. Row is then what its row
	// of this site was compared to have of the certificate RowOf; nil if it was not compared.
	OneWay bool
	Row    StoreResult
	RowOf  *envelope.Certificate
}

// Verify proves the local site and every peer under the stored key by sealed calls, in both
// directions if the peer's own key is available. It writes nothing, and keeps no lock; a peer that
// fetches this site's certificate because of the call writes its own row.
func (r *Renewal) Verify(ctx context.Context) TenantReport {
	return r.reported(ctx, func(ctx context.Context, report *TenantReport) error {
		t, err := r.load(ctx)
		if err != nil {
			return err
		}
		id, err := r.verifyOwn(ctx, t, report)
		report.describe(t)
		if err != nil {
			return err
		}
		report.Peers = r.workOn(t.Peers, func(p Peer) PeerReport { return r.verifyPeer(ctx, *id, p) })
		r.weighLinks(report, report.SelfCheck == SelfProven, nil)
		r.noteOtherRuns(ctx, report)
		report.exitByProof()
		return nil
	})
}

// verifyOwn proves the local site. It makes no call to a site whose key has expired, or whose row
// is not that of its pair: such a call would make Moodle write. After a wait for another run, t is
// what that run has stored: it is described afterwards.
func (r *Renewal) verifyOwn(ctx context.Context, t *Tenant, report *TenantReport) (*Identity, error) {
	if err := r.mayKeep(t); err != nil {
		if errors.Is(err, ErrIncoherent) {
			report.Exit = ExitLocalSite
		}
		return nil, err
	}
	check, failure, err := r.askSettled(ctx, t)
	report.SelfCheck = check
	if err != nil {
		return nil, err
	}
	switch err := t.stopping(check, failure); {
	case check == SelfUnreachable && over(ctx) != nil:
		return nil, fmt.Errorf("ask the local site: %w", context.Cause(ctx))
	case check == SelfUnreachable && stale(check, failure):
		return nil, &UnreachableError{Wwwroot: t.address(), Failure: failure, Off: true}
	case check == SelfUnreachable:
		report.warn(err.Error())
	case err != nil:
		return nil, err
	case check == SelfFailed:
		return nil, fmt.Errorf("%w: %w", ErrNotFollowed, r.notUsed(ctx, failure))
	}
	report.Outcome = Kept
	return t.identity(), nil
}

// notUsed is what a command that only looks says of a local site that uses another key.
func (r *Renewal) notUsed(ctx context.Context, f *Failure) *LocalSiteError {
	e := &LocalSiteError{Failure: f, Seen: true}
	e.Kept = e.SeveralCaches() && r.allKept(ctx, f)
	return e
}

// verifyPeer calls a peer, and makes the peer's call to this site if that is possible.
func (r *Renewal) verifyPeer(ctx context.Context, own Identity, p Peer) PeerReport {
	started := r.Now()
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
	far := r.farSide(ctx, p)
	if far.broken != nil {
		report.fail(far.broken)
	} else {
		proof := r.Network.Prove(ctx, own, p, nil, false)
		report.prove(Push{}, proof)
		if f := outdated(p, proof); f != nil {
			report.fail(f)
		}
		r.verifyFarSide(ctx, own, p, far, proof, &report)
	}
	report.interruptedBy(ctx)
	report.TookMS = r.Now().Sub(started).Milliseconds()
	return report
}

// outdated is the failure of a link if this site's row has another certificate than the peer has
// proven to use: only a command that writes can repair that. It is nil if the row is right.
func outdated(p Peer, proof Proof) *Failure {
	if proof.Failure != nil || proof.Certificate == nil || proof.Certificate.Equal(certificateOf(p)) {
		return nil
	}
	return otherCertificate()
}

// otherCertificate is the failure of a link if this site's row of the peer has a certificate that
// the peer does not use.
func otherCertificate() *Failure {
	return &Failure{Reason: ReasonFault7025, Detail: "this site has another certificate of the peer than the peer uses"}
}

// nextLocal is the next step if a peer's call to this site shows that this site is at fault, ""
// otherwise.
func nextLocal(reason Reason) string {
	row := reason.Row()
	switch {
	case row.NextLocal != "":
		return row.NextLocal
	case row.Unanswered && reason != ReasonInterrupted:
		return "make sure that this machine can open the local site, then run: renew_mnetkeys push"
	}
	return ""
}

// exitByProof is the exit code of a report by whether its peers have been proven.
func (r *TenantReport) exitByProof() {
	r.Exit = ExitOK
	if r.Unproven() > 0 || r.SelfCheck != SelfProven {
		r.Exit = ExitPeers
	}
}
