package main

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// readNodes reads the values of --node as rotate.Options.Nodes takes them: an address
// or a name, with a port or without. A comma parts several, since a variable of the
// environment cannot be repeated.
func readNodes(values []string) ([]string, error) {
	var nodes []string
	for _, value := range values {
		for word := range strings.SplitSeq(value, ",") {
			node, ok := readNode(strings.TrimSpace(word))
			if !ok {
				return nil, &usageError{problem: fmt.Sprintf("--node=%s is not a web server", redactedURL(word)),
					hint: "write a host name or an address, with a port if needed and without a scheme or path: 127.0.0.1, web2.example.org:8443, [2001:db8::7]:443"}
			}
			if !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	return nodes, nil
}

// readNode reads HOST or HOST:PORT. An IPv6 address needs brackets only before a port.
func readNode(s string) (string, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return address.String(), err == nil && address.Is6() && !address.IsUnspecified()
	}
	if address, err := netip.ParseAddr(s); err == nil {
		return address.String(), !address.IsUnspecified()
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // without a port
		return strings.ToLower(s), isHostName(s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", false
	}
	address, err := netip.ParseAddr(host)
	switch {
	case strings.HasPrefix(s, "[") && !address.Is6():
		return "", false
	case err == nil:
		host = address.String()
	case isHostName(host):
		host = strings.ToLower(host)
	default:
		return "", false
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), !address.IsUnspecified()
}

// hostName is a name of labels (RFC 1123 2.1, and the underscore that names have in
// practice). The last is no number: 127.0.0.300 is a mistyped address.
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
