package peers

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Node is one web server of a site.
type Node struct {
	Host string // an address, or a name in small letters
	Port string // "" means the port of the site's wwwroot
}

// String writes the node in the form that ParseNode reads.
func (n Node) String() string {
	if n.Port == "" {
		return n.Host
	}
	return net.JoinHostPort(n.Host, n.Port)
}

// ParseNode reads HOST or HOST:PORT. An IPv6 address needs brackets only before a port.
func ParseNode(s string) (Node, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return Node{Host: address.String()}, err == nil && address.Is6() && !address.IsUnspecified()
	}
	if address, err := netip.ParseAddr(s); err == nil {
		return Node{Host: address.String()}, !address.IsUnspecified()
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // without a port
		return Node{Host: strings.ToLower(s)}, isHostName(s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Node{}, false
	}
	address, err := netip.ParseAddr(host)
	switch {
	case strings.HasPrefix(s, "[") && !address.Is6():
		return Node{}, false
	case err == nil:
		host = address.String()
	case isHostName(host):
		host = strings.ToLower(host)
	default:
		return Node{}, false
	}
	return Node{Host: host, Port: strconv.FormatUint(n, 10)}, !address.IsUnspecified()
}

// hostLabel is one label of a name (RFC 1123 2.1, plus the underscore that names have in practice).
// The last label must not be a number: 127.0.0.300 is a mistyped address.
var (
	hostLabel  = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	onlyDigits = regexp.MustCompile(`^[0-9]+$`)
)

func isHostName(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, label := range labels {
		if !hostLabel.MatchString(label) {
			return false
		}
	}
	return len(s) <= 253 && !onlyDigits.MatchString(labels[len(labels)-1])
}
