package peers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// nowhere resolves no name, so that a peer is reached by its node only.
func nowhere(o *peers.Options) {
	o.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "node.example" {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return nil, fmt.Errorf("no such host: %s", host)
	}
}

// An array's tenant answers only to its own name, so this proves the Host header too.
func TestAPeerIsCalledOnItsNodeUnderItsOwnName(t *testing.T) {
	own := peertest.Run(t, peertest.Options{})
	peer := peertest.Run(t, peertest.Options{Kind: peertest.Array, Wwwroot: "http://peer.example/moodle"})
	_, port, err := net.SplitHostPort(peer.Addr())
	if err != nil {
		t.Fatal(err)
	}
	introduce(t, own, peer)
	for _, node := range []string{"127.0.0.1:" + port, "node.example:" + port, "[::ffff:127.0.0.1]:" + port} {
		c := client(t, quick(nowhere))
		to := row(peer)
		to.Node = node
		onNode(t, c, own, to)
	}
	// A node without a port has the port of the wwwroot.
	to := row(peer)
	to.Wwwroot = "http://peer.example:" + port + "/moodle"
	for _, node := range []string{"127.0.0.1", "node.example"} {
		to.Node = node
		if err := client(t, quick(nowhere)).Reachable(t.Context(), to); err != nil {
			t.Errorf("%s: %v", node, err)
		}
	}
	to.Node = ""
	if err := client(t, quick(nowhere)).Reachable(t.Context(), to); reasonOf(err) != "dns" {
		t.Errorf("without a node: %v", err)
	}
}

// onNode does everything that a Client does with a peer.
func onNode(t *testing.T, c *peers.Client, own *peertest.Site, to rotate.Peer) {
	t.Helper()
	if err := c.Reachable(t.Context(), to); err != nil {
		t.Errorf("%s: reachable: %v", to.Node, err)
	}
	if _, err := c.PublicKey(t.Context(), to); err != nil {
		t.Errorf("%s: public key: %v", to.Node, err)
	}
	if got := c.Push(t.Context(), identity(t, own), to); got.Failure != nil {
		t.Errorf("%s: push: %v", to.Node, got.Failure)
	}
	if got := c.Prove(t.Context(), identity(t, own), to, nil, false); got.Failure != nil {
		t.Errorf("%s: prove: %v", to.Node, got.Failure)
	}
}

func TestANodesTLSCertificateIsThatOfTheWwwroot(t *testing.T) {
	ca := peertest.NewAuthority()
	peer := peertest.Run(t, peertest.Options{Authority: ca, Wwwroot: "https://peer.example"})
	to := row(peer)
	to.SSLVerification, to.Node = 2, peer.Addr()
	c := client(t, quick(nowhere, func(o *peers.Options) { o.RootCAs = ca.Pool() }))
	if err := c.Reachable(t.Context(), to); err != nil {
		t.Error(err)
	}
	to.Wwwroot = "https://other.example"
	if err := c.Reachable(t.Context(), to); reasonOf(err) != "tls" {
		t.Errorf("under another name: %v", err)
	}
}

func TestWhereANodeIs(t *testing.T) {
	for _, c := range []struct{ node, wwwroot, want string }{
		{"192.0.2.1", "http://peer.example/moodle", "192.0.2.1:80"},
		{"192.0.2.1", "https://peer.example", "192.0.2.1:443"},
		{"192.0.2.1", "https://peer.example:8443", "192.0.2.1:8443"},
		{"192.0.2.1:8080", "https://peer.example:8443", "192.0.2.1:8080"},
		{"2001:db8::1", "http://peer.example", "[2001:db8::1]:80"},
		{"[2001:db8::1]", "http://peer.example", "[2001:db8::1]:80"},
		{"[2001:db8::1]:8080", "http://peer.example", "[2001:db8::1]:8080"},
		{"node.example", "http://peer.example", "127.0.0.1:80"},
		{"node.example:8080", "http://peer.example", "127.0.0.1:8080"},
		{"http://node.example", "http://peer.example", ""},
		{"node.example:", "http://peer.example", ""},
		{"node.example:0", "http://peer.example", ""},
		{"node.example:65536", "http://peer.example", ""},
		{"node.example:http", "http://peer.example", ""},
		{":80", "http://peer.example", ""},
		{"[192.0.2.1]", "http://peer.example", ""},
		{"[2001:db8::1", "http://peer.example", ""},
		{"2001:db8::1::2", "http://peer.example", ""},
		{"node example", "http://peer.example", ""},
		{"node.example/moodle", "http://peer.example", ""},
		{"user@node.example", "http://peer.example", ""},
		{"node\n.example", "http://peer.example", ""},
		{"-node.example", "http://peer.example", ""},
	} {
		dialled := ""
		o := quick(nowhere, func(o *peers.Options) {
			o.Retries = -1
			o.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
				dialled = addr
				return nil, errors.New("not here")
			}
		})
		err := client(t, o).Reachable(t.Context(), rotate.Peer{Wwwroot: c.wwwroot, Node: c.node})
		if dialled != c.want || reasonOf(err) != "connect" || (c.want == "") != strings.Contains(err.Error(), "neither HOST nor HOST:PORT") {
			t.Errorf("%q: dialled %q, want %q: %v", c.node, dialled, c.want, err)
		}
	}
}

func TestNodesOfOneSiteAreSilentEachForItself(t *testing.T) {
	own := peertest.Run(t, peertest.Options{})
	peer := peertest.Run(t, peertest.Options{Nodes: []string{"127.0.0.2"}})
	introduce(t, own, peer)
	peer.NodeMisbehaves(0, peertest.Drop)
	c := client(t, quick(func(o *peers.Options) { o.Retries = -1 }))
	reasons := func() (all []string) {
		for _, node := range append(peer.NodeAddrs(), "") {
			to := row(peer)
			to.Node = node
			got := c.Prove(t.Context(), identity(t, own), to, nil, false)
			all = append(all, fmt.Sprint(reason(got.Failure), got.Attempts))
		}
		return all
	}
	if got := reasons(); !slices.Equal(got, []string{"connect1", "1", "connect1"}) {
		t.Errorf("at first %v", got)
	}
	if got := reasons(); !slices.Equal(got, []string{"connect0", "1", "connect0"}) {
		t.Errorf("then %v", got)
	}
}

// Each call has a connection of its own, so that calls through a load balancer reach the web
// servers behind it.
func TestOverlappingCallsToTheOwnSiteMeetAllWebServers(t *testing.T) {
	own := peertest.Run(t, peertest.Options{Nodes: []string{""}})
	stale := identity(t, own).Key
	renew(t, own, true)
	own.NodeCaches(1, stale)
	c := client(t, quick())
	ask := func(node string) (proven, unopened int) {
		proofs := make([]rotate.Proof, 6)
		var all sync.WaitGroup
		for i := range proofs {
			to := row(own)
			to.Node = node
			all.Go(func() { proofs[i] = c.Prove(t.Context(), identity(t, own), to, nil, false) })
		}
		all.Wait()
		for _, p := range proofs {
			switch reason(p.Failure) {
			case "":
				proven++
			case "fault_7023":
				unopened++
			}
		}
		return proven, unopened
	}
	for _, node := range []string{"", own.Addr()} {
		if proven, unopened := ask(node); proven != 3 || unopened != 3 {
			t.Errorf("node %q: %d proven, %d not opened, want 3 of each", node, proven, unopened)
		}
	}
	own.NodeCaches(1, nil)
	if proven, _ := ask(""); proven != 6 {
		t.Errorf("after the cache was dropped: %d of 6 proven", proven)
	}
}

func TestAFailureTellsWhetherThereWasARoute(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name string
		errs []error // of each address, in turn
		want bool
	}{
		{"network unreachable", []error{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}}, true},
		{"no such family", []error{syscall.EAFNOSUPPORT}, true},
		{"no address of that family", []error{syscall.EADDRNOTAVAIL}, true},
		{"a neighbour that is off", []error{syscall.EHOSTUNREACH}, false},
		{"refused", []error{refused}, false},
		{"one of two was refused", []error{refused, syscall.ENETUNREACH}, false},
		{"two without a route", []error{syscall.ENETUNREACH, syscall.EAFNOSUPPORT}, true},
	} {
		errs := slices.Clone(c.errs)
		o := quick(func(o *peers.Options) {
			o.Retries = -1
			o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
				return make([]netip.Addr, len(errs)), nil
			}
			o.Dial = func(context.Context, string, string) (net.Conn, error) {
				err := errs[0]
				errs = errs[1:]
				return nil, err
			}
		})
		err := client(t, o).Reachable(t.Context(), rotate.Peer{Wwwroot: "http://peer.example"})
		var f *rotate.Failure
		if !errors.As(err, &f) || f.Reason != "connect" || f.NoRoute != c.want {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

func TestAnAnswerInAnotherSitesNameNamesIt(t *testing.T) {
	const lower = "http://peer.example/moodle"
	for _, c := range []struct{ name, asked, answers, reason, other string }{
		{"the same site", lower, lower, "", ""},
		{"the letter case of the path", "http://peer.example/Moodle", lower, "bad_signature", lower},
		{"the letter case of the host", "HTTP://Peer.Example/moodle", lower, "", ""},
		{"a slash at the end", lower, lower + "/", "", ""},
		{"another host", "http://other.example/moodle", lower, "bad_signature", lower},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := peertest.Run(t, peertest.Options{})
			peer := peertest.Run(t, peertest.Options{Wwwroot: c.answers})
			introduce(t, own, peer)
			to := row(peer)
			to.Wwwroot, to.Node = strings.TrimSuffix(c.asked, "/"), peer.Addr()
			got := client(t, quick(nowhere)).Prove(t.Context(), identity(t, own), to, nil, false)
			if reason(got.Failure) != c.reason || got.Failure != nil && got.Failure.Other != c.other {
				t.Errorf("%+v", got.Failure)
			}
			// The page of the node is read as strictly as Moodle reads it, and the site is named
			// only if it is another one.
			_, f := client(t, quick(nowhere)).PublicKey(t.Context(), to)
			if (f != nil) != (to.Wwwroot != c.answers) || f != nil && (f.Reason != "bad_certificate" || f.Other != c.other) {
				t.Errorf("its page: %+v", f)
			}
		})
	}
}
