package rotate

import (
	"context"
	"time"
)

// Sleep waits, or ends with the context's error. It is what Renewal.Sleep is outside
// of tests.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
