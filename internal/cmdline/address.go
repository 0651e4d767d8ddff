package cmdline

import (
	"net/url"
	"slices"
	"strings"

	"renew_mnetkeys/peers"
)

// wwwroot checks the URL of an option and gives it without trailing slash, as Moodle stores it.
func wwwroot(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		err := mustBe("a wwwroot such as https://tenant.example.org/moodle", redactedURL(s))
		err.Advice = "copy $CFG->wwwroot of the site's config.php"
		return "", err
	}
	// Host names are case-insensitive, and Moodle writes them in lower case.
	return strings.TrimRight(strings.Replace(s, u.Host, strings.ToLower(u.Host), 1), "/"), nil
}

// redactedURL hides what might be a password in a mistyped URL.
func redactedURL(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return "…" + s[at:]
	}
	return s
}

// addNodes reads a value of --node in the form of rotate.Options.Nodes: an address or a name, with
// or without a port. A comma separates several, since an environment variable cannot be repeated.
func addNodes(_ *option, o *Options, value string) error {
	for word := range strings.SplitSeq(value, ",") {
		node, ok := peers.ParseNode(strings.TrimSpace(word))
		if !ok {
			err := mustBe("a host name or an address, with or without a port (1 to 65535)", redactedURL(word))
			err.Advice = "leave out scheme and path: 127.0.0.1, web2.example.org:8443, [2001:db8::7]:443"
			return err
		}
		if !slices.Contains(o.Nodes, node.String()) {
			o.Nodes = append(o.Nodes, node.String())
		}
	}
	return nil
}
