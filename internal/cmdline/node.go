package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/peers"
)

// readNodes reads the values of --node as rotate.Options.Nodes takes them: an address
// or a name, with a port or without. A comma parts several, since a variable of the
// environment cannot be repeated.
func readNodes(values []string) ([]string, error) {
	var nodes []string
	for _, value := range values {
		for word := range strings.SplitSeq(value, ",") {
			node, ok := peers.ParseNode(strings.TrimSpace(word))
			if !ok {
				return nil, &UsageError{Problem: fmt.Sprintf("--node=%s is not a web server", redactedURL(word)),
					Advice: "write a host name or an address, with a port if needed and without a scheme or path: 127.0.0.1, web2.example.org:8443, [2001:db8::7]:443"}
			}
			if !slices.Contains(nodes, node.String()) {
				nodes = append(nodes, node.String())
			}
		}
	}
	return nodes, nil
}
