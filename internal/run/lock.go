package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/rotate"
)

var _ rotate.Locker = (*lockIfGiven)(nil)

// lockIfGiven is a lock without which the work goes on if the server gives none to anybody: the
// store compares the key pair that it replaces with the one that was read. That is warned about
// once in a run.
type lockIfGiven struct {
	lock   func(ctx context.Context, wait time.Duration) (release func(), err error)
	warned *sync.Once
	log    output.Logger
}

// Lock implements rotate.Locker.
func (l *lockIfGiven) Lock(ctx context.Context, wait time.Duration) (release func(), err error) {
	release, err = l.lock(ctx, wait)
	var none *moodledb.NoLocksError
	if !errors.As(err, &none) {
		return release, err
	}
	l.warned.Do(func() {
		l.log.Warn().Err(none).Msg("working without a lock: another run at the same time is not kept waiting, but no run overwrites a key that it has not read")
	})
	return func() {}, nil
}
