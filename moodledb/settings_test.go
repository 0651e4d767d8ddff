package moodledb

import (
	"testing"

	"renew_mnetkeys/rotate"
)

func TestTheProxyIsReadAsMoodleReadsIt(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     *rotate.Proxy
	}{
		{map[string]string{"proxyport": "3128", "proxytype": "HTTP"}, nil},
		{map[string]string{"proxyhost": "", "proxyport": "3128"}, nil},
		{map[string]string{"proxyhost": "p"}, &rotate.Proxy{Kind: "http", Host: "p", Port: "8080"}},
		{map[string]string{"proxyhost": "p", "proxyport": "0", "proxytype": "SOCKS5"}, &rotate.Proxy{Kind: "socks5", Host: "p", Port: "8080"}},
		{map[string]string{"proxyhost": "p:81"}, &rotate.Proxy{Kind: "http", Host: "p", Port: "81"}},
		{map[string]string{"proxyhost": "http://p/", "proxyport": "3128"}, &rotate.Proxy{Kind: "http", Host: "p", Port: "3128"}},
		{map[string]string{"proxyhost": "socks5://p:1080"}, &rotate.Proxy{Kind: "socks5", Host: "p", Port: "1080"}},
		{map[string]string{"proxyhost": "p", "proxytype": "SOCKS4"}, &rotate.Proxy{Kind: "http", Host: "p", Port: "8080"}},
		{map[string]string{"proxyhost": "HTTPS://p:3129", "proxytype": "SOCKS5"}, &rotate.Proxy{Kind: "https", Host: "p", Port: "3129"}},
		{map[string]string{"proxyhost": "socks://p", "proxyport": "1080"}, &rotate.Proxy{Kind: "socks", Host: "p", Port: "1080"}},
		{map[string]string{"proxyhost": "2001:db8::1", "proxyport": "3128"}, &rotate.Proxy{Kind: "http", Host: "2001:db8::1", Port: "3128"}},
		{map[string]string{"proxyhost": "[2001:db8::1]:3129"}, &rotate.Proxy{Kind: "http", Host: "2001:db8::1", Port: "3129"}},
	} {
		got := proxyOf(c.settings)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%v is read as %q", c.settings, got)
		}
	}
}
