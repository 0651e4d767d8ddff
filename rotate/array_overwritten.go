package rotate

import (
	"context"
	"fmt"
	"time"

	"renew_mnetkeys/envelope"
)

// An array takes longer than one tenant between storing a key and its last report. So the run
// checks whether another program has overwritten the pair (superseded.go) before it pushes to
// members, after that, and on every way out.

// again reads a tenant once more before its key is pushed to any peer.
func (a *Array) again(ctx context.Context, to, t *renewing) side {
	a.within(ctx, to, func(s *Session, r *Renewal) error {
		now, err := r.load(ctx)
		if err != nil {
			return err
		}
		if !t.stores(now) {
			a.overwritten(ctx, t, s, r, now)
		}
		return nil
	})
	switch {
	case to.report.Err != nil:
		return side{err: to.report.Err}
	case t.current != nil && t.report.SelfCheck == SelfProven:
		return side{uses: t.current.Key.Certificate}
	}
	return a.ask(ctx, to, true) // the error says why
}

// stores reports whether the tenant's key still is the current one.
func (t *renewing) stores(now *Tenant) bool {
	return storesKeyOf(now, t.current.Key.Certificate)
}

// storesKeyOf compares certificates, not texts: the stored text may be formatted differently.
func storesKeyOf(t *Tenant, c *envelope.Certificate) bool {
	id := t.identity()
	return id != nil && id.Key.Certificate.Equal(c)
}

// overwritten ends the work on a tenant whose key is no longer the current one, before the key was
// pushed to any peer. Its web server may have shown it to a peer all the same.
func (a *Array) overwritten(ctx context.Context, t *renewing, s *Session, r *Renewal, now *Tenant) {
	ctx, cancel := safePoint(ctx)
	defer cancel()
	t.report.Outcome, t.report.Exit = Failed, ExitNotRenewed
	err := fmt.Errorf("the key was not pushed: %w", r.keepLost(ctx, *t.current, now, &t.report))
	t.report.Err, t.report.Error = err, err.Error()
	if list, err := s.PeerRows.PeerList(ctx); err == nil {
		now.Peers = list
		t.report.skipPeers(now, "not pushed: the key was overwritten")
	}
	t.current = nil
}

// keepFailed is for a tenant that failed with its pair stored: if the cause is that another program
// has overwritten the pair, the pair is kept, and that cause is reported.
func (t *renewing) keepFailed(ctx context.Context, r *Renewal, ours *Identity, cause error) error {
	reported := t.report.Certificate
	if ours == nil || reported == nil || reported.SHA256 != ours.Key.Certificate.Fingerprint() {
		return cause // it was not stored, or was put back
	}
	ctx, cancel := safePoint(ctx)
	defer cancel()
	now, err := readAnyway(ctx, r)
	if err != nil || storesKeyOf(now, ours.Key.Certificate) {
		return cause
	}
	t.report.Outcome, t.report.Exit = Failed, ExitNotRenewed
	return fmt.Errorf("%w: %w", r.keepLost(ctx, *ours, now, &t.report), cause)
}

// readAnyway reads a tenant whose database may fail for a moment: a pair that is not seen now may
// be lost.
func readAnyway(ctx context.Context, r *Renewal) (t *Tenant, err error) {
	for range 3 {
		if t, err = r.Store.Read(ctx); err == nil {
			return t, nil
		}
		if r.Sleep(ctx, time.Second) != nil {
			break
		}
	}
	return nil, err
}
