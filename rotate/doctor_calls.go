package rotate

import (
	"context"
	"sync"
)

// checkup is what the calls to one peer found.
type checkup struct {
	report   PeerReport
	findings []Finding
	forced   Forced
}

// callPeers makes a sealed call to every peer that can be called, and finds out what those that are
// proven do with a forced keyswap. rows describes the tenant's rows of the peers.
func (d *diagnosis) callPeers(ctx context.Context, own Identity, rows *TenantReport) []PeerReport {
	var mu sync.Mutex
	checkups := make(map[int64]checkup, len(d.tenant.Peers))
	reports := d.workOn(d.tenant.Peers, func(p Peer) PeerReport {
		started := d.Now()
		c := d.callPeer(ctx, own, p, rows.localRowFailure(p.Wwwroot))
		c.report.TookMS = d.Now().Sub(started).Milliseconds()
		mu.Lock()
		defer mu.Unlock()
		checkups[p.ID] = c
		return c.report
	})
	modes := map[Forced][]string{}
	for _, p := range d.tenant.Peers {
		c := checkups[p.ID]
		d.findings = append(d.findings, c.findings...)
		if c.report.Outcome.Proven() {
			modes[c.forced] = append(modes[c.forced], p.Wwwroot)
		}
	}
	if _, ok := d.Network.(ForceProber); ok {
		d.forcedModes(modes)
	}
	return reports
}

func (d *diagnosis) forcedModes(modes map[Forced][]string) {
	d.several(SeverityInfo, "patched", modes[ForcedTaken], "nothing to do: these peers take a new key at once. They take one from anybody who gives this site's name: limit who can reach them",
		"these peers are patched for VMoodle")
	d.several(SeverityInfo, "stock", modes[ForcedIgnored], "nothing to do if these peers can reach this site: they fetch a new key by themselves at the next call",
		"these peers run Moodle as released")
	d.several(SeverityInfo, "mode_unknown", modes[ForcedUnknown], "nothing to do: these peers fetch a new key by themselves at the next call",
		"it is not known whether these peers accept a pushed key")
}

// callPeer calls one peer. row is what is wrong with the tenant's row of it, which peerRows has found.
func (d *diagnosis) callPeer(ctx context.Context, own Identity, p Peer, row *Failure) checkup {
	c := checkup{report: PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped}}
	if !callable(p) || p.ServerURL == "" {
		c.report.Detail = "not called: its row is not in order"
		return c
	}
	held, far := certificateOf(p), d.farSide(ctx, p)
	switch {
	case far.broken != nil:
		return c.fail(p, far.broken, d.local)
	case held == nil:
		c.report.fail(NoCertificate())
		return c
	case !held.NotAfter.After(d.Now()) && !d.hasRenewed(ctx, p):
		c.report.Detail = "not called: its key has expired, and a sealed call would make it renew by itself"
		return c
	}
	// Prove may make a keyswap in between: it does so only after an answer which shows that the
	// peer has a row of this site, so that mnet_register_allhosts adds none.
	proof := d.Network.Prove(ctx, own, p, nil, true)
	c.report.prove(Push{}, proof)
	if f := outdated(p, proof); f != nil {
		c.report.fail(f)
	}
	d.verifyFarSide(ctx, own, p, far, proof, &c.report)
	c.report.interruptedBy(ctx)
	switch {
	case c.report.back && d.local.silent():
		return c // the local site is the finding
	case row != nil && c.report.dependsOnRow():
		c.report.fail(row)
		return c
	case c.report.Reason == ReasonUnknownToPeer && c.report.Next == "" && d.tenant.movedFrom() != "" && !d.isSite(ctx, d.tenant.movedFrom()):
		c.report.Next = nextMoved(d.tenant.movedFrom())
	case c.report.Reason == ReasonUnknownToPeer && c.report.Next == "" && c.report.noRow:
		c.report.Next = nextNoRow(p.Wwwroot)
	}
	if !c.report.Outcome.Proven() {
		return c.fail(p, &Failure{Reason: c.report.Reason, Detail: c.report.Detail, Next: c.report.Next, Pending: c.report.Outcome == Pending, itself: c.report.itself, noRow: c.report.noRow}, d.local)
	}
	c.findings = append(c.findings, proven(p, proof)...)
	if prober, ok := d.Network.(ForceProber); ok {
		c.forced, _ = prober.TakesForce(ctx, own, p)
	}
	return c
}

// fail is the result for a peer that is not proven.
func (c checkup) fail(p Peer, f *Failure, local SelfCheck) checkup {
	c.report.fail(f)
	c.findings = append(c.findings, failing(p, f, local))
	return c
}

// nextOfLinks gives the links and their findings a next step that is one for all of them: another run is
// at work (noteOtherRuns), the stored key is that of another site, or this site was restored from a
// backup, as one peer shows.
func (d *diagnosis) nextOfLinks(ctx context.Context, report *TenantReport) {
	d.noteOtherRuns(ctx, report)
	renews := d.tenant != nil && d.tenant.hasOtherName() // a push of such a key is refused
	for j := range report.Peers {
		p := &report.Peers[j]
		switch {
		case renews && p.outdated() && p.Next != HintOf(ErrUnderWay):
			p.Next = adviceRenew
		case p.Next == "" && p.outdated() && report.restoredBackup():
			p.Next = nextRestored
		}
		for i := range d.findings {
			f := &d.findings[i]
			if (p.Next == HintOf(ErrUnderWay) || p.Next == nextRestored || p.Next == adviceRenew) && f.Subject == p.Wwwroot && f.Code == "peer_"+string(p.Reason) {
				f.Detail, f.Next = p.Detail, p.Next
			}
		}
	}
}

// hasRenewed reports whether a peer whose certificate here has expired already uses a newer one. It
// reads publickey.php, a page that makes no Moodle renew.
func (d *diagnosis) hasRenewed(ctx context.Context, p Peer) bool {
	shown, f := d.Network.PublicKey(ctx, p)
	return f == nil && shown.NotAfter.After(d.Now())
}

// proven gives the other findings about a peer that is proven.
func proven(p Peer, proof Proof) []Finding {
	if !proof.Healed {
		return nil
	}
	return []Finding{newFinding(SeverityInfo, "peer_healed", p.Wwwroot, "nothing to do: the peer has the current key now",
		"the peer did not have the current key. It fetched the key when it was called", "")}
}
