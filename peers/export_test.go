package peers

import (
	"context"

	"renew_mnetkeys/rotate"
)

// Keyswap is the first half of Introduce, for tests.
func (c *Client) Keyswap(ctx context.Context, own rotate.Identity, p rotate.Peer) rotate.Push {
	return c.keyswap(ctx, own, p)
}

// Title is the second half of Introduce, for tests.
func (c *Client) Title(ctx context.Context, wwwroot string, sslVerification int) (string, *rotate.Failure) {
	return c.title(ctx, rotate.Identity{}, rotate.Peer{Wwwroot: wwwroot, SSLVerification: sslVerification})
}
