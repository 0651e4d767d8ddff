package peers

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"renew_mnetkeys/rotate"
)

// names gives each host name one answer per client, the first one: the limit per address counts on
// it, and a name server must not send the calls of one run to two places. A failed look-up is not
// kept, because a retry may cure it.
type names struct {
	resolve func(context.Context, string) ([]netip.Addr, error)
	timeout time.Duration

	mu    sync.Mutex
	known map[string][]netip.Addr
}

func newNames(resolve func(context.Context, string) ([]netip.Addr, error), timeout time.Duration) *names {
	return &names{resolve: resolve, timeout: timeout, known: map[string][]netip.Addr{}}
}

// lookup returns at least one address of the host, in the resolver's order of preference.
func (n *names) lookup(ctx context.Context, host string) ([]netip.Addr, *rotate.Failure) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	n.mu.Lock()
	addrs := n.known[host]
	n.mu.Unlock()
	if addrs != nil {
		return addrs, nil
	}

	// The look-up is made without the lock: a name server that is silent about one name must not
	// delay the other names. Two callers that ask for one name at once both send a query, which
	// costs less than to wait for each other; both get the answer that came first.
	inTime, cancel := context.WithTimeoutCause(ctx, n.timeout, errTimeLimit)
	defer cancel()
	found, err := n.resolve(inTime, host)
	if err == nil && len(found) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, orInterrupted(ctx, inTime, failed(rotate.ReasonDNS, err, "%v", err))
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if first := n.known[host]; first != nil {
		return first, nil
	}
	n.known[host] = found
	return found, nil
}

// Address implements rotate.Locator: it returns the first address of a wwwroot's host, for
// mnet_host.ip_address. The error is a *rotate.Failure.
func (c *Client) Address(ctx context.Context, wwwroot string) (netip.Addr, error) {
	addrs, f := c.addresses(ctx, wwwroot)
	if f != nil {
		return netip.Addr{}, f
	}
	return addrs[0], nil
}

// Nodes implements rotate.Network.
func (c *Client) Nodes(ctx context.Context, wwwroot string) ([]string, *rotate.Failure) {
	addrs, f := c.addresses(ctx, wwwroot)
	if f != nil {
		return nil, f
	}
	nodes := make([]string, len(addrs))
	for i, a := range addrs {
		nodes[i] = a.String()
	}
	return nodes, nil
}

// addresses are all addresses to which the host of a wwwroot resolves, at least one.
func (c *Client) addresses(ctx context.Context, wwwroot string) ([]netip.Addr, *rotate.Failure) {
	t, f := parseTarget(wwwroot, 0)
	if f != nil {
		return nil, f
	}
	return c.names.lookup(ctx, t.url.Hostname())
}
