package rotate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestExceptionsFromTheProxyAreReadAsMoodleReadsThem(t *testing.T) {
	for _, c := range []struct {
		bypass, wwwroot string
		serves          bool
	}{
		{"", "https://peer.example.org", true},
		{"localhost, 127.0.0.1", "https://peer.example.org", true},
		{"localhost, .example.ORG", "https://Peer.example.org/moodle", false},
		{"example.org", "https://notexample.org", false}, // the end of the text, not of a label
		{"192.168.", "http://192.168.7.1:8080/m", false},
		{"192.168.", "http://10.192.168.1", true},
		{"peer", "https://peer.example.org", false}, // names match from the left as well
		{"peer.example.org/moodle", "https://peer.example.org/moodle", true},
		{"elsewhere.example,", "https://peer.example.org", false}, // an empty element matches all
		{"schüle.example", "https://schüle.example", false},
		{"[2001:db8:", "http://[2001:db8::1]:80", false},
	} {
		if got := (&Proxy{Host: "proxy", Bypass: c.bypass}).Serves(c.wwwroot); got != c.serves {
			t.Errorf("with %q the proxy serves %s: %v, want %v", c.bypass, c.wwwroot, got, c.serves)
		}
	}
	if (*Proxy)(nil).Serves("https://peer.example.org") {
		t.Error("no proxy serves a peer")
	}
}

func TestAProxyPrintsNoPassword(t *testing.T) {
	p := &Proxy{Host: "proxy", Password: "secret"}
	asJSON, _ := json.Marshal(Tenant{Proxy: p})
	if all := fmt.Sprintf("%v %+v %#v %s %v %s", p, *p, p, p, Identity{Proxy: p}, asJSON); strings.Contains(all, "secret") {
		t.Error(all)
	}
}
