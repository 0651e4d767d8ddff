package peers

import (
	"context"

	"renew_mnetkeys/rotate"
)

// Client implements the network of a renewal.
var (
	_ rotate.Network     = (*Client)(nil)
	_ rotate.Introducer  = (*Client)(nil)
	_ rotate.Locator     = (*Client)(nil)
	_ rotate.ForceProber = (*Client)(nil)
)

// Introduce implements rotate.Introducer. It makes a plain keyswap, because the forced mode is for
// hosts that have a row of this site.
func (c *Client) Introduce(ctx context.Context, own rotate.Identity, wwwroot string) (rotate.Peer, *rotate.Failure) {
	host := rotate.NewPeer(wwwroot)
	swap := c.keyswap(ctx, own, host)
	if swap.PeerCertificate == nil {
		return host, swap.Failure
	}
	host.Certificate, host.Expires = swap.PeerCertificate.PEM, swap.PeerCertificate.NotAfter.Unix()
	title, f := c.title(ctx, own, host)
	if f != nil || title == "" {
		title = wwwroot // as good a name as any; the administrator can change it
	}
	host.Name = title
	return host, nil
}
