package rotate

import (
	"context"
	"errors"
	"fmt"

	"renew_mnetkeys/envelope"
)

// RollBack makes the newest retired pair the current one again, keeps the pair that it replaces in
// the history, and pushes to and proves every peer as a renewal does.
func (r *Renewal) RollBack(ctx context.Context) TenantReport {
	return r.reported(ctx, func(ctx context.Context, report *TenantReport) error {
		release, tenant, err := r.locked(ctx, report)
		if err != nil {
			return err
		}
		defer release()
		if err := r.mayGoBack(tenant); err != nil {
			return err
		}
		before, err := r.preflight(ctx, tenant)
		report.SelfCheck = before
		if err != nil {
			return stoppedOr(ctx, err)
		}
		return r.rollBack(ctx, tenant, before, report)
	})
}

func (r *Renewal) rollBack(ctx context.Context, t *Tenant, before SelfCheck, report *TenantReport) error {
	retired, history, err := r.goesBackTo(t)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return stoppedOr(ctx, err)
	}
	if err := r.activate(ctx, t, *retired, history, before, report); err != nil {
		return rollbackUndone(err)
	}
	return r.distribute(ctx, t, *retired, r.pushToPeers, report)
}

// rollbackUndone makes plain which key is the old one: that from before the rollback.
func rollbackUndone(err error) error {
	if errors.Is(err, ErrUndone) {
		return fmt.Errorf("the rollback was undone: %w", err)
	}
	return err
}

// mayGoBack refuses what the database alone shows, before a cache is purged.
func (r *Renewal) mayGoBack(t *Tenant) error {
	if err := t.mayAsk(); err != nil {
		return err
	}
	_, _, err := r.goesBackTo(t)
	return err
}

// goesBackTo is the tenant with the newest retired pair as its key, and the history after it. If a
// person was asked, it is the key that the question named: since then another run may have retired
// one, or preflight may have found one in the cache.
func (r *Renewal) goesBackTo(t *Tenant) (*Identity, []Retired, error) {
	retired, history, err := t.newestRetired(r.Now())
	if err == nil && r.Asked != nil && r.Asked[envelope.FoldWwwroot(t.Wwwroot)] != retired.Key.Certificate.Fingerprint() {
		return nil, nil, ErrOtherThanAsked
	}
	return retired, history, err
}
