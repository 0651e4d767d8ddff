package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

const (
	// readBackLimit is how long the tool tries to find out what happened to a COMMIT. A restart of
	// the server fits in.
	readBackLimit = 40 * time.Second
	readBackPause = 500 * time.Millisecond
)

// answerLost says whether err leaves it unknown if a COMMIT took effect. It is known if the server
// has said that it rolled back: in favour of another transaction, or because it has just become
// read-only, as the old primary does when another server takes over.
func answerLost(err error) bool {
	return errors.As(err, new(*commitError)) && !is(err, dialect.Conflict, dialect.ReadOnly)
}

// decide finds out whether a COMMIT whose answer did not arrive took effect. It asks on a new
// connection, under a context of its own: the answer matters most if the run was just cancelled. It
// reads with a lock, so it waits if the server still works on the old connection's transaction; so
// the answer is final.
func (t *Tenant) decide(ctx context.Context, read *rotate.Tenant, wanted keyState, lost error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackLimit)
	defer cancel()
	for {
		now, err := t.keyNow(ctx, read.Read.OwnID)
		if err == nil && now != wanted {
			// The snapshot may be older than the end of the transaction that this one waited for, and
			// on PostgreSQL lack only the rows that that one has inserted.
			now, err = t.keyNow(ctx, read.Read.OwnID)
		}
		switch {
		case err == nil && now == wanted:
			return nil
		case err == nil && now == stateRead(read):
			return fmt.Errorf("not stored: %w", lost)
		case err == nil, errors.Is(err, rotate.ErrConflict):
			return fmt.Errorf("%w; %w", rotate.ErrConflict, rotate.ErrOverwritten) // it may have been stored, and overwritten
		}
		if t.sleep(ctx, readBackPause) != nil {
			return fmt.Errorf("%w: %w", rotate.ErrUncertain, err)
		}
	}
}

// keyNow is keyState in a transaction of its own.
func (t *Tenant) keyNow(ctx context.Context, ownID int64) (now keyState, err error) {
	err = t.transaction(ctx, dialect.Write, func(tx *sql.Tx) (err error) {
		now, _, err = t.keyState(ctx, tx, ownID)
		return err
	})
	return now, err
}
