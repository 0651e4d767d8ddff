package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Moodle's own renewal at expiry locks nothing: a request may have read pair and
// history before our COMMIT, and writes its own over ours after it.

// overtaken tells whether the own site does not use our stored key because it
// is right to use another, which it then has proven. Nobody was told of ours.
func (r *Renewal) overtaken(ctx context.Context, t *Tenant, ours Identity, report *TenantReport) (bool, error) {
	now, err := r.Store.Read(ctx)
	if err != nil || now.Pair.Certificate == ours.Key.Certificate.PEM {
		return false, nil // giving up says the rest
	}
	conflict := r.keepOverwritten(ctx, ours, now)
	if now, err = r.Store.Read(ctx); err != nil || now.checkOwnRow() != nil || now.Own.Certificate != now.Pair.Certificate {
		return false, nil
	}
	id := now.identity()
	if id == nil {
		return false, nil
	}
	check, _ := r.ask(ctx, now, *id, r.answersForProof())
	if check != SelfProven && check != SelfNoRC4 {
		return false, nil
	}
	report.skipPeers(t, "not told of a key that the local site does not use")
	report.restored(now.Pair, len(now.History))
	report.Outcome, report.SelfCheck, report.Exit = Failed, check, ExitNotRenewed
	return true, fmt.Errorf("the local site uses a newer key: %w", conflict)
}

// keepOverwritten sees to it that a pair that is not the current one any more, as
// now shows, stands in the history: where Moodle has overwritten it unseen, whoever
// has learnt its certificate could else never heal. It is put in front, since
// nothing there is newer, and pushes nothing out. The error is ErrConflict, and
// what stood in the way.
func (r *Renewal) keepOverwritten(ctx context.Context, ours Identity, now *Tenant) error {
	certificate := ours.Key.Certificate.PEM
	for tries := 3; ; tries-- {
		if !now.Pair.Present() || now.Pair.Certificate == certificate ||
			slices.ContainsFunc(now.History, func(h Retired) bool { return h.Certificate == certificate }) {
			return ErrConflict
		}
		overwritten := Retired{Stored: Stored{Certificate: certificate, PrivateKey: ours.Key.PEM}, Expires: ours.Key.Certificate.NotAfter.Unix()}
		err := r.Store.StoreHistory(ctx, now, bounded(slices.Insert(slices.Clone(now.History), 0, overwritten)), false)
		if err == nil {
			err = r.Cache.Drop(ctx, WidthEntry)
		} else if errors.Is(err, ErrConflict) && tries > 1 { // it was still writing
			if now, err = r.Store.Read(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("%w; ours could not be kept in the history: %w", ErrConflict, err)
		}
		return ErrConflict
	}
}

// keepLost keeps a pair in the history that somebody has overwritten, and reports
// the one that is stored instead. A site that does not use that is the worst of it.
// The error is ErrConflict, and what stood in the way.
func (r *Renewal) keepLost(ctx context.Context, ours Identity, now *Tenant, report *TenantReport) error {
	conflict := r.keepOverwritten(ctx, ours, now)
	if again, err := r.Store.Read(ctx); err == nil {
		now = again
	}
	report.restored(now.Pair, len(now.History))
	report.SelfCheck = SelfSkipped
	if r.notToAsk(now) != nil {
		return conflict
	}
	check, failure := r.ask(ctx, now, *now.identity(), r.answersForProof())
	if report.SelfCheck = check; check == SelfFailed {
		report.Exit = ExitOwnSite
		return fmt.Errorf("%w; the web server does not use the stored key: %w", conflict, failure)
	}
	return conflict
}

// lookAgain proves the local site once more. again is true when it had gone back
// to the old key and was brought to the new one: what peers were told in between
// may have made them fetch the old certificate. A site that does not answer now is
// reported as such.
//
// The database is asked whether the key still is the stored one: a run whose lock
// was lost with its connection must not take itself for the last, and a web server
// that answers under the key may do so out of its cache.
func (r *Renewal) lookAgain(ctx context.Context, t *Tenant, id Identity, report *TenantReport) (again bool, err error) {
	check, failure := r.ask(ctx, t, id, r.answersForProof())
	if check == SelfUnreachable && report.SelfCheck != SelfSkipped {
		report.SelfCheck = SelfUnreachable
	}
	now, err := r.Store.Read(ctx)
	if check == SelfProven && (err != nil || now.Pair.Certificate == id.Key.Certificate.PEM) {
		return false, nil
	}
	answered := check == SelfFailed || check == SelfNoRC4 && report.SelfCheck == SelfProven
	switch {
	case err != nil && !answered:
		return false, fmt.Errorf("%w: read the tenant: %w", errNotSeen, err)
	case err != nil:
		return false, fmt.Errorf("the local site does not answer under the new key (%w), and the database does not tell why: read the tenant: %w", failure, err)
	case now.Pair.Certificate != id.Key.Certificate.PEM:
		return false, r.keepLost(ctx, id, now, report) // it is right to use another
	case check == SelfUnreachable:
		report.warn("the local site did not answer any more after the peers were told: " + failure.Error())
		return false, nil
	case !answered:
		return false, nil
	}
	r.Log.Warn().Str("failure", failure.Error()).Msg("the local site went back to the old key")
	if report.SelfCheck, err = r.settle(ctx, t, id, SelfProven); err != nil {
		return false, fmt.Errorf("the local site went back to the old key: %w", err)
	}
	return true, nil
}
