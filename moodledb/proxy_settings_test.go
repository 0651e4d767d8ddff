package moodledb

import (
	"testing"

	"renew_mnetkeys/rotate"
)

// The host is what curl takes as CURLOPT_PROXY: an account in it must not become part of a name,
// which failures print.
func TestAnAccountInTheHostOfAProxyIsNoPartOfItsName(t *testing.T) {
	for _, c := range []struct {
		host, port, user, password string
		want                       rotate.Proxy
	}{
		{"proxy", "3128", "", "", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128"}},
		{"u:SECRET@proxy", "3128", "", "", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128", User: "u", Password: "SECRET"}},
		{"u:SECRET@proxy:3128", "", "", "", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128", User: "u", Password: "SECRET"}},
		{"http://u:SEC%40RET@proxy:3128/", "", "", "", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128", User: "u", Password: "SEC@RET"}},
		{"socks5://u:SECRET@[2001:db8::1]:1080", "", "", "", rotate.Proxy{Kind: "socks5", Host: "2001:db8::1", Port: "1080", User: "u", Password: "SECRET"}},
		{"u:SECRET@proxy", "3128", "v", "other", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128", User: "v", Password: "other"}},
		{"proxy", "3128", "v", "", rotate.Proxy{Kind: "http", Host: "proxy", Port: "3128"}}, // Moodle sends both or none
	} {
		got := proxyOf(map[string]string{"proxyhost": c.host, "proxyport": c.port, "proxyuser": c.user, "proxypassword": c.password})
		if got == nil || *got != c.want {
			t.Errorf("%q: host %q, port %q, user %q, kind %q", c.host, got.Host, got.Port, got.User, got.Kind)
		}
	}
}
