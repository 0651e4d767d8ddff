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
	check, _ := r.checkBefore(ctx, now)
	if check != SelfProven && check != SelfNoRC4 {
		return false, nil
	}
	report.skipPeers(t, "not told of a key that the own site does not use")
	report.restored(now.Pair, len(now.History))
	report.Outcome, report.SelfCheck, report.Exit = Failed, check, ExitNotRenewed
	return true, fmt.Errorf("the own site uses a newer key: %w", conflict)
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
		err := r.Store.StoreKey(ctx, now, Keys{Stored: now.Pair, Expires: now.expires(), History: slices.Insert(slices.Clone(now.History), 0, overwritten)})
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
