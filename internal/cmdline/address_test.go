package cmdline

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestANodeIsAHostAndMayHaveAPort(t *testing.T) {
	for given, want := range map[string][]string{
		"127.0.0.1":                    {"127.0.0.1"},
		"127.0.0.1:8080":               {"127.0.0.1:8080"},
		"web1":                         {"web1"},
		"WEB1.Example.org":             {"web1.example.org"},
		"web_1.example.org.:443":       {"web_1.example.org.:443"},
		"xn--bcher-kva.example":        {"xn--bcher-kva.example"},
		"::1":                          {"::1"},
		"[::1]":                        {"::1"},
		"2001:DB8:0::7":                {"2001:db8::7"},
		"[2001:db8::7]:443":            {"[2001:db8::7]:443"},
		"[fe80::1%eth0]:80":            {"[fe80::1%eth0]:80"},
		"127.0.0.1:65535":              {"127.0.0.1:65535"},
		"127.0.0.1:1,web2, [::1]:0443": {"127.0.0.1:1", "web2", "[::1]:443"},
		"web1,web1":                    {"web1"},
	} {
		o, err := optionsOf(t, "--node="+given)
		if err != nil || !slices.Equal(o.Nodes, want) {
			t.Errorf("%s: %q, error %v", given, o.Nodes, err)
		}
	}
	if o, err := optionsOf(t, "--node=web1:80", "--node", "web2"); err != nil || !slices.Equal(o.Nodes, []string{"web1:80", "web2"}) {
		t.Errorf("%q, error %v", o.Nodes, err)
	}
	t.Setenv("MNETKEYS_NODE", "web1,web2:81")
	t.Setenv("MNETKEYS_FROM", "https://old.example") // move needs it
	for _, cmd := range Commands {
		if o, err := optionsOf(t, strings.TrimPrefix(string(cmd.Name), "renew")); cmd.Name != "renew" && (err != nil || !slices.Equal(o.Nodes, []string{"web1", "web2:81"})) {
			t.Errorf("%s: %q, error %v", cmd.Name, o.Nodes, err)
		}
	}
}

func TestWhatIsNoNodeIsRefused(t *testing.T) {
	for _, given := range []string{"", " ", ",", "web1,", "https://web1", "http://127.0.0.1:80", "web1/moodle", "web1:", "web1:0", "web1:65536", "web1:http", "web1:-1", "web1:+80", ":80",
		"127.0.0.300", "127.0.0", "256.1.1.1:80", "[::1", "::1]", "[127.0.0.1]", "[web1]:80", "[127.0.0.1]:80", "[::1]:", "[::1]80", "0.0.0.0", "[::]:80", "::", "user@web1", "user:secret@web1", "web 1", "-web1", "web1-", "web..1", "b\u00fccher.example",
		strings.Repeat("a", 64) + ".example", strings.Repeat("abc.", 64) + "example", "web1?x", "web1#x", "web1\nweb2"} {
		_, err := optionsOf(t, "--node="+given)
		if usage := (*UsageError)(nil); !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), "--node must be ") || strings.Contains(err.Error(), "secret") || usage.Advice == "" {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// A site that is not asked is not asked at a node either; a line of an option file is passed over.
func TestANodeAndNoCheckContradictEachOther(t *testing.T) {
	if _, err := optionsOf(t, "--node=web1", "--self-check=off"); err == nil || err.Error() != "--self-check cannot be off with --node" {
		t.Errorf("%v", err)
	}
	for name, c := range map[string]struct {
		lines, args []string
		nodes       []string
		mode        string
	}{
		"the file's node gives way":         {[]string{"node = web1"}, []string{"--self-check=off"}, nil, "off"},
		"not to another mode":               {[]string{"node = web1", "node = web2"}, []string{"--self-check=require"}, []string{"web1", "web2"}, "require"},
		"the file's mode gives way":         {[]string{"self-check = off"}, []string{"--node=web1"}, []string{"web1"}, "auto"},
		"the nodes of the command line win": {[]string{"node = web1"}, []string{"--node=web2"}, []string{"web2"}, "auto"},
	} {
		o, err := optionsOf(t, append(c.args, "--options="+optionFile(t, c.lines...))...)
		if err != nil || !slices.Equal(o.Nodes, c.nodes) || string(o.SelfCheck) != c.mode {
			t.Errorf("%s: %q %s, error %v", name, o.Nodes, o.SelfCheck, err)
		}
	}
}
