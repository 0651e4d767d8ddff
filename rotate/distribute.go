package rotate

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/envelope"
)

// maxWaiting bounds the peers that are worked on at once. The network keeps far
// fewer calls open; the rest wait for a slot, at a few kilobytes each, so that
// many peers of one slow address hold up nobody of another.
const maxWaiting = 512

// tellPeers pushes the key to every peer and proves each, all at once as far as
// the network lets them. Reports stand in the order of peers.
func (r *Renewal) tellPeers(ctx context.Context, own Identity, peers []Peer) []PeerReport {
	return r.workOn(peers, func(p Peer) PeerReport { return r.tellPeer(ctx, own, p) })
}

// workOn runs work for every peer, and counts for Progress.
func (r *Renewal) workOn(peers []Peer, work func(Peer) PeerReport) []PeerReport {
	reports := make([]PeerReport, len(peers))
	var group errgroup.Group
	group.SetLimit(maxWaiting)
	var mu sync.Mutex
	done := 0
	for i, p := range peers {
		group.Go(func() error {
			reports[i] = work(p)
			mu.Lock()
			defer mu.Unlock()
			done++
			if r.Progress != nil {
				r.Progress(done, len(peers))
			}
			return nil
		})
	}
	_ = group.Wait() // no peer's failure is an error of the run
	return reports
}

// tellPeer pushes the key to one peer, proves it, and stores the certificate the
// peer turned out to use.
func (r *Renewal) tellPeer(ctx context.Context, own Identity, p Peer) PeerReport {
	started := r.Now()
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application}
	push := r.Network.Push(ctx, own, p)
	report.Attempts = push.Attempts

	held, _ := envelope.ParseCertificate(p.Certificate)
	answered, stale := push.Answered, false
	if older(answered, held) {
		answered, stale = nil, true
	}
	switch f := push.Failure; {
	case f != nil && (f.Pending || f.Reason == "unknown_to_peer" || f.Reason == "mnet_off"):
		report.fail(f)
	case f != nil && f.Reason == "bad_certificate" && held == nil:
		report.fail(f)
	default:
		// A keyswap that was refused otherwise decides nothing: the peer may
		// still fetch the certificate itself when we call it.
		proof := r.prove(ctx, own, &p, answered, !stale)
		report.prove(push, proof)
		if stale && proof.Failure != nil {
			report.Detail = join(report.Detail, "its keyswap answers an older certificate than the one stored, which was kept")
		}
		r.keepCertificate(ctx, p, proof.Certificate, answered, &report)
	}
	if ctx.Err() != nil && !report.Outcome.Proven() {
		report.fail(&Failure{Reason: "timeout", Detail: "not finished: " + context.Cause(ctx).Error(), Pending: true})
	}
	report.TookMS = r.Now().Sub(started).Milliseconds()
	return report
}

// prove makes the sealed call. A peer that has forgotten its old key cannot call
// us back to heal as long as our row holds the old certificate, under which our
// web side would verify it: where that may be the reason, the answered one is
// stored first and the call made once more. It is not stored before the first
// call, because a peer with a stale cache still uses the old one. p becomes what
// the row then holds.
func (r *Renewal) prove(ctx context.Context, own Identity, p *Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	proof := r.Network.Prove(ctx, own, *p, answered, mayKeyswap)
	if f := proof.Failure; f == nil || answered == nil || f.Reason != "fault_710" && f.Reason != "cannot_open" {
		return proof
	}
	if held, err := envelope.ParseCertificate(p.Certificate); err == nil && held.Equal(answered) {
		return proof
	}
	if stored, err := r.Store.StorePeer(ctx, *p, answered); err != nil || !stored {
		return proof
	}
	p.Certificate, p.Expires = answered.PEM, answered.NotAfter.Unix()
	again := r.Network.Prove(ctx, own, *p, answered, mayKeyswap)
	again.Healed = again.Failure == nil
	again.Attempts += proof.Attempts
	return again
}

// keepCertificate stores what the peer uses: the certificate its answer verified
// under, else the one it answered to the keyswap.
func (r *Renewal) keepCertificate(ctx context.Context, p Peer, proven, answered *envelope.Certificate, report *PeerReport) {
	held, _ := envelope.ParseCertificate(p.Certificate)
	c := proven
	if c == nil {
		c = answered
	}
	if c == nil || c.Equal(held) && p.Expires == c.NotAfter.Unix() || older(c, held) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	stored, err := r.Store.StorePeer(ctx, p, c)
	switch {
	case err != nil:
		r.Log.Warn().Err(err).Str("peer", p.Wwwroot).Msg("the peer's certificate could not be stored")
		report.Detail = join(report.Detail, "its certificate could not be stored")
	case !stored:
		r.Log.Info().Str("peer", p.Wwwroot).Msg("the peer's row was changed meanwhile and is left as it is")
	}
}

// Newer tells whether a held certificate was made after an offered one. What
// cannot be read is not newer.
func Newer(held, offered string) bool {
	h, _ := envelope.ParseCertificate(held)
	o, _ := envelope.ParseCertificate(offered)
	return older(o, h)
}

// older tells whether a was made before b.
func older(a, b *envelope.Certificate) bool {
	return a != nil && b != nil && a.NotBefore.Before(b.NotBefore)
}

func (p *PeerReport) fail(f *Failure) {
	p.Outcome, p.Reason, p.Detail = Refused, f.Reason, f.Detail
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
		// The keyswap was refused or the first call failed: it fetched the key.
		p.Outcome, p.Reason = Healed, ""
		if push.Failure != nil {
			p.Detail = "the keyswap was refused (" + push.Failure.Error() + ")"
		}
	default:
		p.Outcome = Accepted
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
