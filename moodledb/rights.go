package moodledb

import (
	"context"

	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// CheckRights finds out before any change whether the renewal will be allowed to write. A read-only
// server is refused whatever rights the account has; the error is then rotate.ErrReadOnly.
func (t *Tenant) CheckRights(ctx context.Context) error {
	err := t.dialect.MayRenew(ctx, t.db, t.config.Names())
	switch {
	case err == nil:
		return nil
	case is(err, dialect.ReadOnly):
		return readOnlyError{t.explain("check rights", err)}
	}
	return t.explain("check rights", err)
}

// CheckPeerRights implements rotate.PeerRows.
func (t *Tenant) CheckPeerRights(ctx context.Context, changes bool) error {
	if err := t.dialect.MayStorePeers(ctx, t.db, t.config.Names(), changes); err != nil {
		return t.explain("check rights", err)
	}
	return nil
}

// readOnlyError is an error that is rotate.ErrReadOnly.
type readOnlyError struct{ error }

func (e readOnlyError) Is(target error) bool { return target == rotate.ErrReadOnly }

func (e readOnlyError) Unwrap() error { return e.error }
