package peers_test

import (
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// strict is an HTTP client that verifies TLS, as a Moodle does whose row of the site has
// sslverification 2.
func strict() *http.Client { return &http.Client{} }

func TestTitle(t *testing.T) {
	long := strings.Repeat("é", 100)
	for _, c := range []struct {
		name   string
		pages  map[string]http.HandlerFunc
		title  string
		reason string
	}{
		{name: "a title", pages: pages("/", "<html><head><title>Campus Nord</title></head>"), title: "Campus Nord"},
		{name: "entities and line ends", pages: pages("/", "<TITLE lang='fr'>\n  L&#39;&eacute;cole &amp;\n\tCo </TITLE>"), title: "L'école & Co"},
		{name: "more than 80 characters", pages: pages("/", "<title>"+long+"</title>"), title: strings.Repeat("é", 79) + "…"},
		{name: "terminal escapes, controls and forged directions", pages: pages("/", "<title>A\x1b[31mB\x00C\u202eD&#27;]0;x&#7;E</title>"), title: "ABCDE"},
		{name: "Latin-1", pages: pages("/", "<title>\xe9cole</title>"), title: "école"},
		{name: "no title", pages: pages("/", "<p>hello</p>"), title: ""},
		{name: "a redirect on the same host", pages: map[string]http.HandlerFunc{
			"/":                redirect("/login/index.php"),
			"/login/index.php": show("<title>Log in</title>"),
		}, reason: "http_302"},
		{name: "a redirect to another host", pages: map[string]http.HandlerFunc{"/": redirect("http://localhost.example/")}, reason: "http_302"},
		{name: "a redirect that has a page of its own", pages: map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			redirect("/login/index.php")(w, r)
			show("<title>Moved</title>")(w, r)
		}}, reason: "http_302"},
		{name: "a page that is not there", reason: "http_404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if page := c.pages[r.URL.Path]; page != nil {
					page(w, r)
					return
				}
				w.WriteHeader(http.StatusNotFound)
			}))
			defer server.Close()
			title, err := client(t, quick()).Title(t.Context(), server.URL, 0)
			if title != c.title {
				t.Errorf("title is %q, want %q", title, c.title)
			}
			if got := reasonOf(err); got != c.reason {
				t.Errorf("error is %v, want reason %q", err, c.reason)
			}
		})
	}
}

func pages(path, text string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{path: show(text)}
}

func show(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// reasonOf is the reason of an error of package peers, "" for nil.
func reasonOf(err error) string {
	var f *rotate.Failure
	if errors.As(err, &f) {
		return reason(f)
	}
	if err != nil {
		return fmt.Sprintf("not a Failure: %v", err)
	}
	return ""
}

func TestPublicKeyReadsWhatTheWebSideUses(t *testing.T) {
	site := peertest.Run(t, peertest.Options{})
	old := site.Certificate()
	renew(t, site, true)
	c := client(t, quick())
	for _, step := range []struct {
		name   string
		fault  peertest.Fault
		want   string
		reason string
	}{
		{"the current certificate", "", site.Certificate(), ""},
		{"the old one, while the cache is stale", peertest.StaleKey, old, ""},
		{"MNet off", peertest.Off, "", "mnet_off"},
		{"no such page", peertest.Status(404), "", "http_404"},
		{"a login page", peertest.HTML, "", "bad_certificate"},
		{"a flood", peertest.Flood, "", "too_large"},
	} {
		t.Run(step.name, func(t *testing.T) {
			site.Misbehave(step.fault)
			got, err := c.PublicKey(t.Context(), row(site))
			if reasonOf(err) != step.reason {
				t.Fatalf("error is %v, want reason %q", err, step.reason)
			}
			if err == nil && got.PEM != step.want {
				t.Error("read another certificate")
			}
		})
	}
}

func TestPublicKeyInAPageOfHTML(t *testing.T) {
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	defer server.Close()
	p := rotate.Peer{Wwwroot: server.URL}
	certificate := peertest.NewKeyPair(p.Wwwroot, 1024).Certificate.PEM
	other := peertest.NewKeyPair("http://other.example", 1024).Certificate.PEM
	for _, c := range []struct{ name, body, reason string }{
		{"preformatted", "<html><body><pre>" + html.EscapeString(certificate) + "</pre></body></html>", ""},
		{"with line breaks of HTML", "<p>" + strings.ReplaceAll(certificate, "\n", "<br />") + "</p>", ""},
		{"another site's", "<pre>" + other + "</pre>", "bad_certificate"},
		{"two of them", certificate + certificate, "bad_certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body = c.body
			got, err := client(t, quick()).PublicKey(t.Context(), p)
			if reasonOf(err) != c.reason {
				t.Fatalf("error is %v, want reason %q", err, c.reason)
			}
			if err == nil && got.PEM != certificate {
				t.Error("read another certificate")
			}
		})
	}
}

func TestReachableConnectsAndSendsNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	sent := make(chan int, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			sent <- -1
			return
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		n, _ := conn.Read(make([]byte, 100))
		sent <- n
	}()
	c := client(t, quick())
	if err := c.Reachable(t.Context(), rotate.Peer{Wwwroot: "http://" + listener.Addr().String()}); err != nil {
		t.Error(err)
	}
	if n := <-sent; n != 0 {
		t.Errorf("%d bytes were sent, want a connection and none", n)
	}
	if err := c.Reachable(t.Context(), rotate.Peer{Wwwroot: "http://127.0.0.1:1"}); reasonOf(err) != "connect" {
		t.Errorf("error is %v, want reason connect", err)
	}
}

func TestAddress(t *testing.T) {
	c := client(t, quick())
	for _, test := range []struct{ name, wwwroot, want, reason string }{
		{"an address in the wwwroot", "http://127.0.0.7:8080/moodle", "127.0.0.7", ""},
		{"an IPv6 address", "https://[::1]/moodle", "::1", ""},
		{"no such host", "http://no-such-host.invalid", "invalid IP", "dns"},
		{"no http", "ftp://127.0.0.1", "invalid IP", "connect"},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr, err := c.Address(t.Context(), test.wwwroot)
			if addr.String() != test.want || reasonOf(err) != test.reason {
				t.Errorf("address is %v, error %v; want %s, %q", addr, err, test.want, test.reason)
			}
		})
	}
}

func TestThePHPThatAWebServerNames(t *testing.T) {
	for by, want := range map[string]string{"PHP/8.2.7": "8.2.7", "PHP/8.3.6-0ubuntu0.24.04.2": "8.3.6-0ubuntu0.24.04.2", "PHP/7.4.33 <b>": "7.4.33",
		"Express": "", "": "", "PHP/": "", "ASP.NET, PHP/8.1": ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Powered-By", by) }))
		if got := client(t, quick()).PHP(t.Context(), rotate.Peer{Wwwroot: server.URL}); got != want {
			t.Errorf("of %q: %q, want %q", by, got, want)
		}
		server.Close()
	}
	if got := client(t, quick(func(o *peers.Options) { o.Retries = -1 })).PHP(t.Context(), rotate.Peer{Wwwroot: "http://127.0.0.1:1"}); got != "" {
		t.Errorf("of a site that is down: %q", got)
	}
}
