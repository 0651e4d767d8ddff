package rotate

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/envelope"
)

// maxWaiting bounds the peers in work at the same time. The network keeps far fewer calls open; the
// rest wait for a slot, at a few kilobytes each, so that many peers at one slow address do not
// delay those at others.
const maxWaiting = 512

// pushToPeers pushes the key to every peer and proves each, with as many at the same time as the
// network permits. The reports are in the order of peers.
func (r *Renewal) pushToPeers(ctx context.Context, own Identity, peers []Peer) []PeerReport {
	return r.workOnEach(peers, func(p *Peer) PeerReport { return r.pushToPeer(ctx, own, p) })
}

// workOn runs work for every peer, and counts for Progress.
func (r *Renewal) workOn(peers []Peer, work func(Peer) PeerReport) []PeerReport {
	return r.workOnEach(peers, func(p *Peer) PeerReport { return work(*p) })
}

// workOnEach is workOn for work that changes what is known of a peer.
func (r *Renewal) workOnEach(peers []Peer, work func(*Peer) PeerReport) []PeerReport {
	reports := make([]PeerReport, len(peers))
	var group errgroup.Group
	group.SetLimit(maxWaiting)
	var mu sync.Mutex
	done := 0
	for i := range peers {
		group.Go(func() error {
			reports[i] = work(&peers[i])
			mu.Lock()
			defer mu.Unlock()
			done++
			if r.Progress != nil {
				r.Progress(done, len(peers))
			}
			return nil
		})
	}
	_ = group.Wait() // a peer's failure is not an error of the run
	return reports
}

// pushToPeer pushes the key to one peer, proves it, and stores the certificate that the peer was
// found to use, also in p.
func (r *Renewal) pushToPeer(ctx context.Context, own Identity, p *Peer) PeerReport {
	started := r.Now()
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
	push := r.Network.Push(ctx, own, *p)
	report.Attempts = push.Attempts

	switch f := push.Failure; {
	case f != nil && (f.Pending && !own.Proxy.Serves(p.Wwwroot) || f.Reason == ReasonUnknownToPeer):
		far := r.farSide(ctx, *p)
		if far.isMember && far.unread != nil { // which decides, as for all
			f = far.unread
		}
		report.fail(f)
		if f.Reason == ReasonUnknownToPeer {
			report.unknown(own, far)
		}
	case f != nil && f.Reason == ReasonMNetOff:
		report.fail(f)
		r.nextOfArray(*p, r.farSide(ctx, *p), &report)
	case f != nil && f.Reason == ReasonBadCertificate && certificateOf(*p) == nil:
		report.fail(f)
	default:
		// Any other refusal of the keyswap decides nothing, nor does a proxy that does not work:
		// the peer may still fetch the certificate itself when it is called.
		far := r.farSide(ctx, *p)
		if far.broken != nil {
			report.fail(far.broken)
			break
		}
		proof := r.prove(ctx, own, p, push.PeerCertificate)
		report.prove(push, proof)
		r.keepCertificate(ctx, p, proof, &report)
		r.verifyFarSide(ctx, own, *p, far, proof, &report)
	}
	report.interruptedBy(ctx)
	report.TookMS = r.Now().Sub(started).Milliseconds()
	return report
}

// interruptedBy is for a peer whose proof was cut short by the end of the context.
func (p *PeerReport) interruptedBy(ctx context.Context) {
	if !p.Outcome.Proven() && over(ctx) != nil {
		p.fail(cutShort(ctx))
	}
}

// prove makes the sealed call, with the certificate that the keyswap answered if there is one. A
// peer that has lost its old key cannot heal by calling back while this site's row has the old
// certificate, since the local web server would verify the call under it. If the peer has signed
// its refusal with another key than that of the row, this certificate is stored, and the call is
// made once more. p then becomes what the row has.
func (r *Renewal) prove(ctx context.Context, own Identity, p *Peer, answered *envelope.Certificate) Proof {
	proof := r.Network.Prove(ctx, own, *p, answered, true)
	if proof.Failure == nil || proof.Failure.Reason == ReasonSeveralCaches || proof.Certificate == nil || proof.Certificate.Equal(certificateOf(*p)) {
		return proof
	}
	if stored, err := r.Store.StorePeer(ctx, *p, proof.Certificate); err != nil || !stored {
		return proof
	}
	p.Certificate, p.Expires = proof.Certificate.PEM, proof.Certificate.NotAfter.Unix()
	again := r.Network.Prove(ctx, own, *p, proof.Certificate, true)
	again.Healed = again.Failure == nil
	again.Attempts += proof.Attempts
	return again
}

// keepCertificate stores what the peer uses: the certificate under which a signed answer of the
// peer has verified, whatever its dates. The answer to a keyswap proves nothing. If the certificate
// cannot be stored, the link is not proven: this site will not use it. With ReasonSeveralCaches
// nothing is stored, since the certificate depends on which web server answers.
func (r *Renewal) keepCertificate(ctx context.Context, p *Peer, proof Proof, report *PeerReport) {
	c := proof.Certificate
	if c == nil || c.Equal(certificateOf(*p)) && p.Expires == c.NotAfter.Unix() ||
		proof.Failure != nil && proof.Failure.Reason == ReasonSeveralCaches {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	stored, err := r.Store.StorePeer(ctx, *p, c)
	why, next := "its row was changed by another program meanwhile", ""
	switch {
	case err == nil && stored:
		p.Certificate, p.Expires = c.PEM, c.NotAfter.Unix()
		return
	case err != nil:
		why = "its certificate could not be stored: " + err.Error()
		if HintOf(err) != "" {
			next = nextOfDatabase(err)
		}
	}
	if !report.Outcome.Proven() {
		report.Detail = join(report.Detail, why)
		return
	}
	report.fail(&Failure{Reason: ReasonNotStored, Detail: why, Pending: true, Next: next})
}

// older reports whether a was made before b.
func older(a, b *envelope.Certificate) bool {
	return a != nil && b != nil && a.NotBefore.Before(b.NotBefore)
}

// pushOnceMore pushes again to the peers whose refusal may be temporary.
func (r *Renewal) pushOnceMore(ctx context.Context, own Identity, peers []Peer, reports []PeerReport) {
	var again []Peer
	var at []int
	for i, p := range reports {
		if p.Outcome == Refused && p.Reason.Row().SettlesSoon {
			again, at = append(again, peers[i]), append(at, i)
		}
	}
	if len(again) == 0 || r.Sleep(ctx, onceMoreAfter) != nil {
		return
	}
	for i, report := range r.pushToPeers(ctx, own, again) {
		report.Attempts += reports[at[i]].Attempts
		reports[at[i]] = report
	}
}

// onceMoreAfter is how long a link has to settle.
const onceMoreAfter = time.Second

func (p *PeerReport) fail(f *Failure) {
	p.Outcome, p.Reason, p.Detail, p.Next = Refused, f.Reason, f.Detail, cmp.Or(f.Next, nextOfOther(f.Other))
	p.itself, p.noRow = f.itself, f.noRow
	var named *envelope.WwwrootError
	p.misnamed = errors.As(f.Err, &named) && envelope.SameWwwroot(named.Got, p.Wwwroot)
	if f.Pending {
		p.Outcome = Pending
	}
}

func (p *PeerReport) prove(push Push, proof Proof) {
	p.Attempts = max(push.Attempts, proof.Attempts)
	switch {
	case proof.Failure != nil:
		p.fail(proof.Failure)
	case proof.Healed || push.Failure != nil:
		// The keyswap was refused or the first call failed: the peer fetched the key.
		p.Outcome, p.Reason = Healed, ""
		if push.Failure != nil {
			p.Detail = "the keyswap was refused (" + push.Failure.Error() + ")"
		}
	default:
		p.Outcome = Accepted
	}
	if proof.Failure == nil && proof.Fault != "" {
		p.Detail = join(p.Detail, "it answered the call with "+proof.Fault)
	}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
