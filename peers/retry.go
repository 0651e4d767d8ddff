package peers

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"time"

	"renew_mnetkeys/rotate"

	"github.com/cenkalti/backoff/v5"
)

const (
	firstPause = 500 * time.Millisecond
	// longestPause bounds the back-off, and the Retry-After that is obeyed. A peer in maintenance
	// asks for minutes: no pause that this run could afford cures that, so the exchange is not
	// repeated.
	longestPause = 10 * time.Second
)

// retry makes an exchange, and repeats it after failures that a retry can cure: dns, connect,
// timeout, 5xx, and a 429 that says when to come back, never a refusal. It occupies no place among
// the limits while it waits. If it gives up, it returns the last failure, or an interruption if the
// context ended first; attempts counts the tries.
func (c *Client) retry(ctx context.Context, t target, try func(context.Context) (*answer, *rotate.Failure)) (a *answer, attempts int, f *rotate.Failure) {
	a, attempts, f = c.tries(ctx, try)
	c.breaker.record(t, f)
	return a, attempts, f
}

func (c *Client) tries(ctx context.Context, try func(context.Context) (*answer, *rotate.Failure)) (a *answer, attempts int, f *rotate.Failure) {
	pauses := &backoff.ExponentialBackOff{InitialInterval: firstPause, Multiplier: 2, MaxInterval: longestPause}
	for {
		a, f = try(ctx)
		if f != nil && f.Suppressed {
			return a, attempts, f
		}
		attempts++
		if f == nil {
			return a, attempts, nil
		}
		asked, later := retryAfter(f.RetryAfter, c.o.Now())
		if later {
			f.Next = f.Reason.NextAfter(c.o.Now().Add(asked))
		}
		if attempts > c.o.Retries || !curable(f) || asked > longestPause || later && endsWithin(ctx, asked) {
			return a, attempts, f
		}
		pause := max(c.jitter(pauses.NextBackOff()), asked)
		if err := c.pause(ctx, pause); err != nil {
			return nil, attempts, failed(rotate.ReasonInterrupted, err, "interrupted before the next try; the last one ended: %v", f)
		}
	}
}

// pause waits between two tries, unless the context ends.
func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if over(ctx) {
		return whyOver(ctx)
	}
	return c.o.Sleep(ctx, d)
}

// over says whether the context has ended or is about to: its deadline may have passed before its
// timer has fired.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) <= 0
}

// endsWithin says whether the context's deadline comes before the pause that a peer has asked for
// is over. Such a peer is reported as it is, not as interrupted.
func endsWithin(ctx context.Context, pause time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= pause
}

// whyOver is the cause of a context that has ended.
func whyOver(ctx context.Context) error { return cmp.Or(context.Cause(ctx), context.DeadlineExceeded) }

func curable(f *rotate.Failure) bool {
	return f.Reason.Row().Unanswered && f.Reason != rotate.ReasonInterrupted || f.Reason.IsServerError() ||
		f.Reason == rotate.ReasonHTTP429 && f.RetryAfter != ""
}

// jitter spreads a pause over half to one and a half times its length, so that 200 peers behind one
// broken switch do not come back at once. It uses the client's own random source, because the one
// inside backoff cannot be replaced.
func (c *Client) jitter(pause time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(c.o.Random, b[:]); err != nil {
		return pause
	}
	return pause/2 + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(pause))
}

// retryAfter reads the Retry-After header field (RFC 9110 §10.2.3): seconds, or a date.
func retryAfter(field string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(field); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}
