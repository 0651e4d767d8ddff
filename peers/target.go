package peers

import (
	"cmp"
	"net"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"renew_mnetkeys/rotate"
)

// target is where an exchange goes.
type target struct {
	url          *url.URL // http or https, with a host
	verification int      // as mnet_host.sslverification
	peer         string   // the wwwroot by which the breaker knows it, "" for a page and for the local site
	sealed       bool     // a sealed call: the peer may call back before it answers

	node             string        // as Peer.Node has it, "" for none; of a proxy its address
	dialHost, dialTo string        // host (an address or a name) and port to connect to
	proxy            *rotate.Proxy // that is dialled instead, nil for none
}

// port is that of the site.
func (t target) port() string {
	return cmp.Or(t.url.Port(), map[string]string{"http": "80", "https": "443"}[t.url.Scheme])
}

// through is the target by way of a proxy.
func (t target) through(p *rotate.Proxy) target {
	t.proxy, t.dialHost, t.dialTo = p, p.Host, p.Port
	t.node = "proxy " + net.JoinHostPort(p.Host, p.Port)
	return t
}

// parseTarget refuses everything that is not http or https with a host: a wwwroot comes from a
// table that other programs write, and file: or gopher: must not become a request.
func parseTarget(address string, verification int) (target, *rotate.Failure) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		// The parser's own error repeats the text, with a password if there is one.
		f := failed(rotate.ReasonConnect, nil, "its wwwroot is not an http or https address")
		f.Next = rotate.NextWwwroot
		return target{}, f
	}
	if u.Host, err = asciiHost(u); err != nil {
		return target{}, failed(rotate.ReasonDNS, nil, "its host name cannot be looked up: %v", err)
	}
	t := target{url: u, verification: verification, dialHost: u.Hostname()}
	t.dialTo = t.port()
	return t, nil
}

// lookupName prepares names of other scripts as curl does (libidn2, nontransitional): they are
// mapped, and not held to the rules of registries, since names with an underscore exist.
var lookupName = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

// asciiHost is host and port of an address with the A-labels of an internationalised name (RFC
// 5891): for the name server, TLS and the Host field, while the wwwroot stays as Moodle has it. A
// name in ASCII is left as it is.
func asciiHost(u *url.URL) (string, error) {
	if !strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return u.Host, nil
	}
	host, err := lookupName.ToASCII(u.Hostname())
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	return host, err
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
