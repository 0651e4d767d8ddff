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
// alone.
func (r *Renewal) keep(ctx context.Context, t *Tenant, report *TenantReport) (*Identity, error) {
	id := t.identity()
	switch {
	case !t.MNetOn():
		return nil, ErrMNetOff
	case id == nil:
		return nil, ErrNoKey
	case t.checkOwnRow() != nil:
		return nil, t.checkOwnRow()
	case t.Own.Certificate != t.Pair.Certificate:
		return nil, ErrIncoherent
	case r.expiring(t):
		return nil, ErrExpired
	}
	check, failure := r.checkBefore(ctx, t)
	if check != SelfProven {
		var err error
		if check, failure, err = r.settle(ctx, *id, t.ownSite(id.Key.Certificate), SelfSkipped); err != nil {
			report.SelfCheck, report.Exit = SelfFailed, ExitOwnSite
			return nil, fmt.Errorf("the own site does not use the stored key: %w", err)
		}
	}
	report.SelfCheck = check
	if check == SelfUnreachable && r.SelfCheck == SelfCheckRequire {
		return nil, fmt.Errorf("%w: %w", ErrOwnUnreachable, failure)
	}
	report.Outcome = Kept
	return id, nil
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
