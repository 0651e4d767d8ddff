package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"renew_mnetkeys/rotate"
)

const (
	// readBackLimit is how long the database is asked what became of a COMMIT. A restart of the
	// server fits in.
	readBackLimit = 40 * time.Second
	readBackPause = 500 * time.Millisecond
)

// answerLost says whether err leaves open what became of a COMMIT. It does not where the server has
// said that it rolled back: for the sake of another transaction, or since it has just been made
// read-only, as the old primary is when another takes over.
func answerLost(err error) bool {
	return errors.As(err, new(*commitError)) &&
		!isNumber(err, errDeadlock, errLockWaitTimeout, errRecordChanged, errReadOnlyServer, errReadOnlyTransaction, errReadOnlyMode)
}

// decide finds out what became of a COMMIT whose answer did not arrive. It asks on a new
// connection, under a context of its own: the answer matters most when the run was just cancelled.
// Reading with a lock makes it wait for a server that is still at work on the old connection's
// transaction, so that the answer is final.
func (t *Tenant) decide(ctx context.Context, read *rotate.Tenant, wanted keyState, lost error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackLimit)
	defer cancel()
	for {
		var now keyState
		err := t.transaction(ctx, false, func(tx *sql.Tx) (err error) {
			now, _, err = t.keyState(ctx, tx, read.Read.OwnID)
			return err
		})
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
