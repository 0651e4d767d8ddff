package rotate

import (
	"context"
	"fmt"
)

// Distribute tells every peer of the key that is stored, and renews nothing.
func (r *Renewal) Distribute(ctx context.Context) TenantReport {
	return reported(ctx, func(ctx context.Context, report *TenantReport) error {
		release, tenant, err := r.locked(ctx, report)
		if err != nil {
			return err
		}
		defer release()
		id, err := r.keep(ctx, tenant, report)
		if err != nil {
			return stoppedOr(ctx, err)
		}
		return r.distribute(ctx, tenant, *id, r.tellPeers, report)
	})
}

// keep brings the own site to use the key that is stored: a run may have been
// killed between the database and the cache. A site that uses it already is left
// alone; one that cannot be brought to it, and uses the key before, gets that back.
func (r *Renewal) keep(ctx context.Context, t *Tenant, report *TenantReport) (*Identity, error) {
	if err := r.mayKeep(t); err != nil {
		return nil, err
	}
	id := t.identity()
	first, failure := r.checkBefore(ctx, t)
	check, err := first, error(nil)
	switch {
	case first == SelfFailed && failure.Reason == "clock": // no cache is the cause of that
		report.SelfCheck = first
		return nil, fmt.Errorf("%w: %w", ErrOwnClock, failure)
	case first != SelfProven:
		check, failure, err = r.settle(ctx, *id, t.ownSite(id.Key.Certificate), SelfSkipped)
	}
	unasked := check == SelfUnreachable || check == SelfSkipped
	switch {
	case check != SelfProven && ctx.Err() != nil:
		return nil, stoppedOr(ctx, err) // calls that were cut short tell nothing of the site
	case err != nil && (!unasked || answered(first)):
		return nil, r.goBack(ctx, t, err, report)
	case err != nil: // most likely it has used the key for long; but who is told must be able to rely on it
		report.SelfCheck = check
		return nil, fmt.Errorf("nobody was told: the own site was not proven, and its cache not dropped: %w", err)
	}
	report.SelfCheck = check
	if check == SelfUnreachable && r.SelfCheck == SelfCheckRequire {
		return nil, fmt.Errorf("%w: %w", ErrOwnUnreachable, failure)
	}
	if check == SelfUnreachable {
		report.warn("the own site could not be asked which key it uses: " + failure.Error())
	}
	report.Outcome = Kept
	return id, nil
}

// mayKeep finds what must stop a run that leaves the stored key as it is.
func (r *Renewal) mayKeep(t *Tenant) error {
	switch {
	case !t.MNetOn():
		return ErrMNetOff
	case t.identity() == nil:
		return ErrNoKey
	case t.checkOwnRow() != nil:
		return t.checkOwnRow()
	case t.Own.Certificate != t.Pair.Certificate:
		return ErrIncoherent
	case r.expiring(t):
		return ErrExpired
	}
	return nil
}

// goBack finishes what a run has begun that was killed between storing a key, that
// the own web side does not take, and putting the old one back. Which pair the
// site uses, its publickey.php tells: a sealed call under another one than that of
// the own row would make the site write. Proven it is by the undoing itself.
func (r *Renewal) goBack(ctx context.Context, t *Tenant, cause error, report *TenantReport) error {
	report.SelfCheck, report.Exit = SelfFailed, ExitOwnSite
	cause = fmt.Errorf("the own site does not use the stored key: %w", cause)
	former, _, err := t.former(r.Now())
	if err != nil || r.SelfCheck == SelfCheckOff {
		return cause
	}
	shown, err := r.Network.PublicKey(ctx, t.ownSite(former.Key.Certificate))
	if err != nil || !former.Key.Certificate.Equal(shown) {
		return cause
	}
	// From here a signal must not leave the site between two keys.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
	defer cancel()
	before := *t
	before.Pair, before.History = t.History[0].Stored, t.History[1:]
	check, err := r.undo(ctx, &before, Keys{Stored: t.Pair, Expires: t.expires()}, report)
	if err != nil {
		return fmt.Errorf("%w; putting the old key back failed as well: %w", cause, err)
	}
	report.Outcome, report.SelfCheck, report.Exit = Undone, check, ExitNotRenewed
	return fmt.Errorf("the old key is back: %w", cause)
}

// RollBack makes the newest retired pair the current one again, keeps the one it
// replaces in the history, and tells and proves everybody as a renewal does.
func (r *Renewal) RollBack(ctx context.Context) TenantReport {
	return reported(ctx, func(ctx context.Context, report *TenantReport) error {
		release, tenant, err := r.locked(ctx, report)
		if err != nil {
			return err
		}
		defer release()
		before, err := r.preflight(ctx, tenant)
		report.SelfCheck = before
		if err != nil {
			return stoppedOr(ctx, err)
		}
		return r.rollBack(ctx, tenant, before, report)
	})
}

func (r *Renewal) rollBack(ctx context.Context, t *Tenant, before SelfCheck, report *TenantReport) error {
	former, history, err := t.former(r.Now())
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return stoppedOr(ctx, err)
	}
	if err := r.takeIntoUse(ctx, t, *former, history, before, report); err != nil {
		return err
	}
	return r.distribute(ctx, t, *former, r.tellPeers, report)
}
