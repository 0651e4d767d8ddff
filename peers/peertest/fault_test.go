package peertest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/peers/peertest"
)

// connect opens a connection and asks for the certificate's page on it.
func connect(t *testing.T, site *peertest.Site) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", site.Addr())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, "GET /mnet/publickey.php HTTP/1.1\r\nHost: "+site.Addr()+"\r\nConnection: close\r\n\r\n")
	must(t, err)
	return conn
}

// The test reads what is on the wire itself, without an HTTP client.
func TestAFaultOfAConnectionIsCommitted(t *testing.T) {
	const whole = "-----END CERTIFICATE-----\n"
	for _, c := range []struct {
		fault  peertest.Fault
		begins string // the bytes that arrive first
		whole  bool   // they end with the end of the page
		reset  bool   // RST follows, otherwise FIN
	}{
		{peertest.ResetUnanswered, "", false, true},
		{peertest.ResetWithin, "HTTP/1.1 200 OK\r\n", false, true},
		{peertest.ResetAfter, "HTTP/1.1 200 OK\r\n", true, true},
		{peertest.HTTP10, "HTTP/1.0 200 OK\r\n", true, false},
		{peertest.BadChunks, "HTTP/1.1 200 OK\r\n", false, false},
		{peertest.Drop, "", false, false},
		{peertest.Drip(20 * time.Millisecond), "HTTP/1.1 200 OK\r\n", true, false},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			site := peertest.Run(t, peertest.Options{})
			site.Misbehave(c.fault)
			got, err := io.ReadAll(connect(t, site))
			if !strings.HasPrefix(string(got), c.begins) || c.begins == "" && len(got) > 0 {
				t.Errorf("sent %q", got)
			}
			if strings.HasSuffix(string(got), whole) != c.whole {
				t.Errorf("sent, to its end: %q", got)
			}
			if errors.Is(err, syscall.ECONNRESET) != c.reset {
				t.Errorf("ended with %v", err)
			}
			last := site.State().Last
			if !last.Served || last.Request.Whole != c.whole {
				t.Errorf("it says %+v", last)
			}
		})
	}
}

// Whether the caller notices it when it connects, writes or reads is a matter of microseconds.
func TestAConnectionIsResetAtOnce(t *testing.T) {
	site := peertest.Run(t, peertest.Options{})
	site.Misbehave(peertest.ResetAtOnce)
	conn, err := net.Dial("tcp", site.Addr())
	if err == nil {
		defer func() { _ = conn.Close() }()
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v", err)
	}
	if last := site.State().Last; last.Served {
		t.Errorf("it says %+v", last)
	}
}

func TestAConnectionIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		fault  peertest.Fault
		answer bool // an answer precedes the silence
	}{{peertest.Unaccepted, false}, {peertest.Hang, false}, {peertest.Drip(time.Hour), true}, {peertest.KeepsOpen, true}} {
		t.Run(string(c.fault), func(t *testing.T) {
			site, err := peertest.Start(peertest.Options{})
			must(t, err)
			site.Misbehave(c.fault)
			conn := connect(t, site)
			reader := bufio.NewReader(conn)
			if c.answer {
				_, err := reader.Peek(8)
				must(t, err)
			}
			must(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			_, err = io.Copy(io.Discard, reader)
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("the connection ended: %v", err)
			}
			must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			site.Close()
			if _, err = io.Copy(io.Discard, reader); errors.As(err, &late) && late.Timeout() {
				t.Error("it goes on after the site was closed")
			}
		})
	}
}

func TestAFaultOfTLSIsCommitted(t *testing.T) {
	ca := peertest.NewAuthority()
	site := peertest.Run(t, peertest.Options{Authority: ca})
	ask := func(config *tls.Config) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		response, err := client.Get(site.Wwwroot())
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	trusting := &tls.Config{RootCAs: ca.Pool()}
	must(t, ask(trusting))
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	for fault, is := range map[peertest.Fault]func(error) bool{
		peertest.TLSWrongName:  func(err error) bool { return errors.As(err, &name) },
		peertest.TLSSelfSigned: func(err error) bool { return errors.As(err, &unknown) },
		peertest.TLSExpired:    func(err error) bool { return errors.As(err, &invalid) && invalid.Reason == x509.Expired },
		peertest.TLSOld:        func(err error) bool { return err != nil && strings.Contains(err.Error(), "protocol version") },
	} {
		site.Misbehave(fault)
		if err := ask(trusting.Clone()); !is(err) {
			t.Errorf("%s: %v", fault, err)
		}
		if truth := site.Truth("http://caller.example", ""); truth.Verdict != peertest.Pending || truth.Last.Served {
			t.Errorf("%s: it says %+v", fault, truth)
		}
		must(t, ask(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})) // a client that verifies nothing is answered
	}
}

func TestAFullQueueTakesNobody(t *testing.T) {
	addr, end, err := peertest.FullQueue(t.Context())
	must(t, err)
	defer end()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("a connection was established")
	}
}
