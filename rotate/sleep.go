package rotate

import (
	"context"
	"time"
)

// Sleep waits for d, or until the context ends, and then returns its error. It is the Renewal.Sleep
// of the product; tests use another.
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
