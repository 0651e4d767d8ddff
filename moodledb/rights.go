package moodledb

import "context"

// CheckRights finds out before any change whether the renewal will be allowed to write. A read-only
// server is refused whatever rights the account has.
func (t *Tenant) CheckRights(ctx context.Context) error {
	if err := t.dialect.MayRenew(ctx, t.db, t.config.Names()); err != nil {
		return t.explain("check rights", err)
	}
	return nil
}
