package test

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// The peer can be reached through the proxy of the site alone, and so by no sealed call, neither of
// the tool nor of Moodle. The proxy of the environment is never asked.
func TestAPeerThatMoodleReachesOnlyThroughItsProxyIsExplained(t *testing.T) {
	const secret = "proxy-SECRET"
	f, own, _ := one(t)
	peer := peertest.Run(t, peertest.Options{Wwwroot: "http://inside.invalid"})
	if err := peer.Know(own.Wwwroot, own.web.Certificate()); err != nil {
		t.Fatal(err)
	}
	var swaps, refused atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("moodle:"+secret)) {
			refused.Add(1)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method == http.MethodPost {
			swaps.Add(1)
		}
		r.URL.Host, r.RequestURI = peer.Addr(), ""
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(proxy.Close)
	environment, reached := httptest.NewServer(nil), atomic.Int32{}
	environment.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	t.Cleanup(environment.Close)
	host, port, err := net.SplitHostPort(proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	own.DB.Exec(t, "INSERT INTO {config} (name, value) VALUES ('proxyhost', ?), ('proxyport', ?), ('proxyuser', 'moodle'), ('proxypassword', ?), ('proxybypass', 'localhost, 127.')",
		host, port, secret)
	own.DB.Exec(t, "UPDATE {mnet_host} SET wwwroot = ?, public_key = ? WHERE wwwroot = ?", peer.Wwwroot(), peer.Certificate(), f.outsiders[0].Wwwroot())
	said := func(args ...string) string {
		c := command(t, append(args, "--config="+own.ConfigFile, "--retries=0")...)
		c.Env = append(c.Env, "HTTP_PROXY="+environment.URL, "http_proxy="+environment.URL, "ALL_PROXY="+environment.URL)
		r := run1(t, c)
		all := r.stdout + r.stderr
		if r.code != 3 || !strings.Contains(all, "own sealed calls to this peer fail as well") || !strings.Contains(all, "it answers through the proxy of $CFG->proxyhost, but not directly") {
			t.Errorf("%v: exit %d\n%s", args, r.code, all)
		}
		if strings.Contains(all, secret) || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte("moodle:"+secret))) {
			t.Errorf("%v shows the password:\n%s", args, all)
		}
		return all
	}
	said("doctor")
	if swaps.Load() != 0 {
		t.Error("doctor made a keyswap")
	}
	said("--key-bits=2048", "--debug")
	said("push", "--json", "--debug")
	if swaps.Load() != 2 || refused.Load() != 0 || reached.Load() != 0 {
		t.Errorf("%d keyswaps through the proxy, %d without the account, %d calls to that of the environment", swaps.Load(), refused.Load(), reached.Load())
	}
	// The account in the host must not be printed as part of a name that does not resolve.
	own.DB.Exec(t, "UPDATE {config} SET value = ? WHERE name = 'proxyhost'", "http://moodle:"+secret+"@proxy.invalid:3128")
	r := run1(t, command(t, "push", "--config="+own.ConfigFile, "--retries=0", "--json", "--debug"))
	if all := r.stdout + r.stderr; r.code != 3 || strings.Contains(all, secret) {
		t.Errorf("exit %d:\n%s", r.code, all)
	}
	if got := peer.Held(own.Wwwroot); got != own.web.Certificate() {
		t.Error("the keyswap did not bring the new certificate")
	}
}
