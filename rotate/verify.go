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
	As    *Identity // nil if it has no readable key
	Holds string    // the certificate in its row of this site, PEM; "" if it has none
	Off   bool      // its MNet is off, or was never on
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
		report.describe(t)
		id, err := r.verifyOwn(ctx, t, report)
		if err != nil {
			return err
		}
		report.Peers = r.workOn(t.Peers, func(p Peer) PeerReport { return r.verifyPeer(ctx, *id, p) })
		r.weighLinks(report, report.SelfCheck == SelfProven)
		report.exitByProof()
		return nil
	})
}

// verifyOwn proves the local site. It makes no call to a site whose key has expired, or whose row
// is not that of its pair: such a call would make Moodle write.
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
		return nil, fmt.Errorf("%w: %w", ErrNotFollowed, &LocalSiteError{Failure: failure})
	}
	report.Outcome = Kept
	return t.identity(), nil
}

// verifyPeer calls a peer, and makes the peer's call to this site if that is possible.
func (r *Renewal) verifyPeer(ctx context.Context, own Identity, p Peer) PeerReport {
	started := r.Now()
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
	proof := r.Network.Prove(ctx, own, p, nil, false)
	report.prove(Push{}, proof)
	if f := outdated(p, proof); f != nil {
		report.fail(f)
	}
	r.verifyBack(ctx, own, p, &report)
	r.adviseMember(ctx, p, &report)
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
	reason := ReasonFault7025 // it knows the key that the peer had before
	if proof.Forgotten {
		reason = ReasonFault7023
	}
	return &Failure{Reason: reason, Detail: "this site has another certificate of the peer than the peer uses"}
}

// verifyBack makes the peer's own call to this site, if its database is available: the link is then
// proven in both directions, or not at all.
func (r *Renewal) verifyBack(ctx context.Context, own Identity, p Peer, report *PeerReport) {
	if !report.Outcome.Proven() {
		return
	}
	other, f := r.callable(ctx, p)
	if f != nil {
		report.fail(f)
	}
	if other == nil {
		return
	}
	us := Peer{Wwwroot: own.Wwwroot, Application: "moodle", ServerURL: localServerURL, Certificate: other.Holds}
	if len(r.Nodes) > 0 {
		us.Node = r.Nodes[0]
	}
	proof := r.Network.Prove(ctx, *other.As, us, nil, false)
	if f = proof.Failure; f == nil {
		f = outdated(us, proof)
	}
	if f != nil {
		report.back = true
		report.fail(&Failure{Reason: f.Reason, Detail: join("its call to this site fails", f.Detail), Pending: f.Pending, Next: nextLocal(f.Reason)})
		return
	}
	report.Detail = join(report.Detail, "both ways")
}

// callable is the other side of a link, nil if its database is not available, or if that database
// shows why the link cannot be proven.
func (r *Renewal) callable(ctx context.Context, p Peer) (*Counterpart, *Failure) {
	other, err := r.counterpart(ctx, p)
	switch {
	case err != nil:
		return nil, databaseFailure(ctx, "its database: ", err)
	case other == nil:
		return nil, nil
	case other.Off:
		return nil, memberOff()
	case other.As == nil:
		return nil, &Failure{Reason: ReasonBadSignature, Detail: "its database has no readable key to call this site with"}
	}
	return other, nil
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

// adviseMember sets the next step for a peer that is a site of the same array and has MNet off:
// there is no other administrator to ask.
func (r *Renewal) adviseMember(ctx context.Context, p Peer, report *PeerReport) {
	if report.Reason != ReasonMNetOff || report.back {
		return
	}
	if other, err := r.counterpart(ctx, p); r.members[p.Wwwroot] || other != nil || err != nil {
		report.Next = nextMemberOff
	}
}

// counterpart is the other side of a link, nil if its database is not available.
func (r *Renewal) counterpart(ctx context.Context, p Peer) (*Counterpart, error) {
	if r.Counterpart == nil {
		return nil, nil
	}
	return r.Counterpart(ctx, p)
}

// CounterpartOf is a site, read from its own database, as the counterpart of the site with this
// wwwroot. The Peers of t must have all fields.
func CounterpartOf(t *Tenant, wwwroot string) *Counterpart {
	c := &Counterpart{As: t.identity(), Off: t.isOff()}
	for _, p := range t.Peers {
		if envelope.SameWwwroot(p.Wwwroot, wwwroot) {
			c.Holds = p.Certificate
		}
	}
	return c
}

// exitByProof is the exit code of a report by whether its peers have been proven.
func (r *TenantReport) exitByProof() {
	r.Exit = ExitOK
	if r.Unproven() > 0 || r.SelfCheck != SelfProven {
		r.Exit = ExitPeers
	}
}
