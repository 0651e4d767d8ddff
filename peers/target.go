package peers

import (
	"cmp"
	"net/url"

	"renew_mnetkeys/rotate"
)

// target is where an exchange goes.
type target struct {
	url          *url.URL // http or https, with a host
	verification int      // as mnet_host.sslverification
	peer         string   // the wwwroot by which the breaker knows it, "" for a page and for the local site
	sealed       bool     // a sealed call: the peer may call back before it answers

	node             string // as Peer.Node has it, "" for none
	dialHost, dialTo string // host (an address or a name) and port to connect to
}

// parseTarget refuses everything that is not http or https with a host: a wwwroot comes from a
// table that other programs write, and file: or gopher: must not become a request.
func parseTarget(address string, verification int) (target, *rotate.Failure) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		// The parser's own error repeats the text, with a password if there is one.
		return target{}, failed(rotate.ReasonConnect, nil, "its wwwroot is not an http or https address")
	}
	t := target{url: u, verification: verification, dialHost: u.Hostname(), dialTo: u.Port()}
	if t.dialTo == "" {
		t.dialTo = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return t, nil
}

// targetOf is the URL of a peer's page or server with that path, on its node if it has one.
func targetOf(p rotate.Peer, path string) (target, *rotate.Failure) {
	t, f := parseTarget(cmp.Or(p.At, p.Wwwroot)+path, p.SSLVerification)
	if f != nil || p.Node == "" {
		return t, f
	}
	node, ok := ParseNode(p.Node)
	if !ok {
		return target{}, failed(rotate.ReasonConnect, nil, "its node %q is neither HOST nor HOST:PORT", clean(p.Node, wwwrootLimit))
	}
	t.node, t.dialHost = p.Node, node.Host
	if node.Port != "" {
		t.dialTo = node.Port
	}
	return t, nil
}
