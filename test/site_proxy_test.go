package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

const proxyPassword = "proxy-S3cret"

// behind gives a site a proxy in config.php.
func behind(t *testing.T, own *fleetTenant, address string) {
	t.Helper()
	host, port, _ := strings.Cut(address, ":")
	text, err := os.ReadFile(own.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	set := "$CFG->proxyhost = '" + host + "'; $CFG->proxyport = " + port + "; $CFG->proxyuser = 'moodle'; $CFG->proxypassword = '" + proxyPassword + "';\n"
	if err := os.WriteFile(own.ConfigFile, []byte(strings.Replace(string(text), "$CFG->dataroot", set+"$CFG->dataroot", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// leadingTo is an HTTP proxy that leads every request to one site.
func leadingTo(t *testing.T, site *peertest.Site) (address string) {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := r.Clone(r.Context())
		to.RequestURI, to.URL.Scheme, to.URL.Host = "", "http", site.Addr()
		answer, err := http.DefaultTransport.RoundTrip(to)
		if err != nil {
			http.Error(w, "no answer", http.StatusBadGateway)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

// The peer answers keyswaps through the proxy, and sealed calls cannot reach it: Moodle's neither.
func TestAPeerThatOnlyTheProxyReachesIsExplained(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 1, outsiders: 1})
	own := f.tenants[0]
	peer, err := peertest.Start(peertest.Options{Wwwroot: "http://peer.invalid"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	addFake(t, own.Site, peer)
	behind(t, own, leadingTo(t, peer))
	own.DB.Exec(t, "INSERT INTO {config} (name, value) VALUES ('proxybypass', 'localhost, 127.')")
	const explained = "Moodle's own sealed calls to this peer fail as well"
	for word, r := range map[string]ran{
		"renew":  renewIt(t, own.Site, "--retries=0"),
		"push":   operate(t, own.ConfigFile, "push", []string{"--retries=0"}, own.Site),
		"doctor": operate(t, own.ConfigFile, "doctor", []string{"--retries=0"}, own.Site),
		"debug":  operate(t, own.ConfigFile, "push", []string{"--retries=0", "--debug", "--json"}, own.Site),
	} {
		r.expect(t, 3, explained)
		if strings.Contains(r.stdout+r.stderr, proxyPassword) {
			t.Errorf("%s shows the password of the proxy", word)
		}
	}
	sealed := 0
	for _, sent := range peer.Requests() {
		if sent.Sealed {
			sealed++
		}
	}
	if len(peer.Requests()) == 0 || sealed > 0 {
		t.Errorf("%d requests went through the proxy, %d of them sealed calls", len(peer.Requests()), sealed)
	}
}

// A proxy that is down keeps no peer from the new key: the sealed call needs none.
func TestAProxyThatIsDownKeepsNoPeerFromTheNewKey(t *testing.T) {
	t.Parallel()
	_, own, run := one(t)
	behind(t, own, "127.0.0.1:1")
	run().expect(t, 0, "2 of 2 peers proven")
}
