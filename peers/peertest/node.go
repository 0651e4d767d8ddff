package peertest

import (
	"context"
	"fmt"
	"net"
	"slices"

	"renew_mnetkeys/envelope"
)

// node is one web server of a site.
type node struct {
	faults  []Fault
	current *envelope.KeyPair // the pair in its own cache; nil: the pair of the store
	history []*envelope.KeyPair
}

// NodeCaches makes a web server of the site work with this pair and these retired ones, as one with
// a stale cache does, whatever the store says. 0 is the first, i the i-th of Options.Nodes. Without
// a pair it works with the store again.
func (s *Site) NodeCaches(i int, current *envelope.KeyPair, history ...*envelope.KeyPair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[i].current, s.nodes[i].history = current, history
}

// NodeMisbehaves makes one web server of the site commit these faults from now on, in addition to
// those of the site.
func (s *Site) NodeMisbehaves(i int, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[i].faults = slices.Clone(faults)
}

// NodeAddrs are host and port of each web server, as a caller names it; those that share an address
// have the same.
func (s *Site) NodeAddrs() []string {
	_, port, _ := net.SplitHostPort(s.addr)
	addrs := []string{s.addr}
	for _, address := range s.o.Nodes {
		if address == "" {
			addrs = append(addrs, s.addr)
		} else {
			addrs = append(addrs, net.JoinHostPort(address, port))
		}
	}
	return addrs
}

// listenAsNodes begins to serve on the first listener and on one for each other address.
func (s *Site) listenAsNodes(first net.Listener) error {
	s.nodes = make([]node, 1+len(s.o.Nodes))
	byAddr := map[string][]int{}
	for i, addr := range s.NodeAddrs() {
		byAddr[addr] = append(byAddr[addr], i)
	}
	for addr, nodes := range byAddr {
		listener := first
		if addr != s.addr {
			var err error
			if listener, err = net.Listen("tcp", addr); err != nil {
				_ = first.Close()
				_ = s.server.Close()
				return fmt.Errorf("start node of fake site: %w", err)
			}
		}
		s.serve(listener, nodes)
	}
	return nil
}

type nodeKey struct{}

// nodeOf is the web server that answers in this context.
func nodeOf(ctx context.Context) int {
	i, _ := ctx.Value(nodeKey{}).(int)
	return i
}

// cached are the pairs in the cache of that web server; false if it has no cache of its own.
func (s *Site) cached(ctx context.Context) (*envelope.KeyPair, []*envelope.KeyPair, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[nodeOf(ctx)]
	return n.current, n.history, n.current != nil
}
