package cmdline

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"renew_mnetkeys/peers"
)

// wwwroot checks the URL of an option and gives it without trailing slash, as
// Moodle stores it.
func wwwroot(opt *option, s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &UsageError{Problem: fmt.Sprintf("--%s=%s is no wwwroot", opt.name, redactedURL(s)), Advice: "write it as the site does, like https://tenant.example.org/moodle"}
	}
	// Host names know no case, and Moodle writes them small.
	return strings.TrimRight(strings.Replace(s, u.Host, strings.ToLower(u.Host), 1), "/"), nil
}

// redactedURL hides what might be a password in a mistyped URL.
func redactedURL(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return "…" + s[at:]
	}
	return s
}

// addNodes reads a value of --node as rotate.Options.Nodes takes it: an address or a
// name, with a port or without. A comma parts several, since a variable of the
// environment cannot be repeated.
func addNodes(_ *option, o *Options, value string) error {
	for word := range strings.SplitSeq(value, ",") {
		node, ok := peers.ParseNode(strings.TrimSpace(word))
		if !ok {
			return &UsageError{Problem: fmt.Sprintf("--node=%s is not a web server", redactedURL(word)),
				Advice: "write a host name or an address, with a port if needed and without a scheme or path: 127.0.0.1, web2.example.org:8443, [2001:db8::7]:443"}
		}
		if !slices.Contains(o.Nodes, node.String()) {
			o.Nodes = append(o.Nodes, node.String())
		}
	}
	return nil
}
