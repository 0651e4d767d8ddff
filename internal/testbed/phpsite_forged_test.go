package testbed

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The answer can be opened but is signed by a key that the caller no longer has: an answer from
// before the renewal is replayed.
func TestSiteBelievesNoForgedAnswer(t *testing.T) {
	own, peer := pair(t, Options{})
	peer.Stop()
	front := fmt.Sprintf("127.0.0.1:%d", peer.port)
	peer.port = FreePort(t)
	peer.Start(t)
	recorded := ""
	serve(t, front, func(w http.ResponseWriter, r *http.Request) {
		if recorded == "" {
			recorded = read(t)(http.Post(fmt.Sprintf("http://127.0.0.1:%d%s", peer.port, r.URL), "text/xml", r.Body)).body
		}
		_, _ = io.WriteString(w, recorded)
	})
	if called := own.Call(t, peer.Wwwroot); !called.OK || recorded == "" {
		t.Fatalf("recording: %+v", called)
	}
	other := PHPSite(t, Options{})
	own.DB.Exec(t, "UPDATE {mnet_host} SET public_key = ? WHERE wwwroot = ?", other.Certificate(t), peer.Wwwroot)
	if called := own.Call(t, peer.Wwwroot); called.OK || !strings.Contains(called.Error, "not signed by the key we hold") {
		t.Fatalf("%+v", called)
	}
}

func serve(t testing.TB, address string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}
