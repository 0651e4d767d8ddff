package rotate

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Proxy is the proxy of a site's settings ($CFG->proxyhost and those beside it). Moodle sends a
// keyswap through it (mnet_get_public_key in mnet/lib.php), and a sealed call never
// (mnet/xmlrpc/client.php). It contains a password, so printing it shows nothing.
type Proxy struct {
	Host, Port string
	Kind       string // ProxyHTTP and so on, or another scheme of curl's, which is not supported
	User       string
	Password   string
	Bypass     string // $CFG->proxybypass: beginnings of addresses and ends of names, separated by commas
}

// The kinds of proxies that can be used. For SOCKS5 names are looked up here (CURLPROXY_SOCKS5), for
// SOCKS5H by the proxy (CURLPROXY_SOCKS5_HOSTNAME).
const (
	ProxyHTTP    = "http"
	ProxySOCKS5  = "socks5"
	ProxySOCKS5H = "socks5h"
)

// NextOtherProxy is the next step for a proxy that cannot be used.
const NextOtherProxy = "set $CFG->proxyhost to a proxy for HTTP or SOCKS5, or add the peer to $CFG->proxybypass"

// Serves reports whether Moodle sends the keyswap with that wwwroot through the proxy: unless the
// list of exceptions says otherwise, as is_proxybypass() reads it. Whatever matches the beginning
// or the end of the host is an exception, and an empty element matches all. Without a proxy (nil),
// it is false.
func (p *Proxy) Serves(wwwroot string) bool {
	if p == nil {
		return false
	}
	u, err := url.Parse(wwwroot)
	if err != nil || u.Host == "" || p.Bypass == "" {
		return true
	}
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port()))
	for element := range strings.SplitSeq(strings.ToLower(p.Bypass), ",") {
		element = strings.TrimSpace(element)
		if strings.HasPrefix(host, element) || strings.HasSuffix(host, element) {
			return false
		}
	}
	return true
}

// Format prints nothing of the proxy.
func (p Proxy) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[proxy]") }

// MarshalJSON writes nothing of the proxy.
func (p Proxy) MarshalJSON() ([]byte, error) { return []byte(`"[proxy]"`), nil }

// NextBehindProxy is the next step for a peer that answers through the proxy, but not directly.
const NextBehindProxy = "allow this server to connect to the peer without the proxy: Moodle sends only keyswaps through $CFG->proxyhost, so Moodle's own sealed calls to this peer fail as well"
