package peers

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// played is a connection on which a server sends a fixed answer, whatever it receives.
type played struct {
	net.Conn
	says *bytes.Reader
}

func (p played) Read(b []byte) (int, error)       { return p.says.Read(b) }
func (p played) Write(b []byte) (int, error)      { return len(b), nil }
func (p played) SetDeadline(time.Time) error      { return nil }
func (p played) SetReadDeadline(time.Time) error  { return nil }
func (p played) SetWriteDeadline(time.Time) error { return nil }

// fuzzedReasons are those of an exchange that failed after the connection was made.
var fuzzedReasons = regexp.MustCompile(`^(connect|not_xmlrpc|too_large)$`)

// FuzzExchange plays any bytes as a whole HTTP answer: status line, header, chunks. The exchange
// must end in an answer that is not too large, or in a Failure that is safe to print.
func FuzzExchange(f *testing.F) {
	captures, err := filepath.Glob(filepath.Join("..", "testdata", "captures", "*.http"))
	if err != nil || len(captures) == 0 {
		f.Fatalf("no captures to begin with (%v)", err)
	}
	answers := 0
	for _, name := range captures {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if bytes.HasPrefix(text, []byte("HTTP/")) {
			answers++
		}
		f.Add(text)
	}
	if answers == 0 {
		f.Fatal("no capture is an answer")
	}
	for _, says := range []string{
		"", "SSH-2.0-OpenSSH_9.2p1\r\n", "HTTP/1.0 200 OK\r\n\r\nbody", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n<\r\nffffffffffffffff\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 503 \r\nRetry-After: 10\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
	} {
		f.Add([]byte(says))
	}
	to, failure := parseTarget("http://peer.example/mnet/xmlrpc/server.php", 0)
	if failure != nil {
		f.Fatal(failure)
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a, failure := roundTrip(ctx, played{says: bytes.NewReader(says)}, newRequest(ctx, to, "POST", []byte("call")))
		switch {
		case (a == nil) == (failure == nil):
			t.Fatalf("an answer: %v, a failure: %v", a != nil, failure)
		case failure != nil:
			if !fuzzedReasons.MatchString(string(failure.Reason)) {
				t.Errorf("reason %q is none of these", failure.Reason)
			}
			checkText(t, failure.Detail, detailLimit)
		case len(a.body) > envelope.MaxSize || a.status < 200 || a.status > 999:
			t.Errorf("status %d with %d bytes", a.status, len(a.body))
		default:
			check(t, a.refusal(rotate.Peer{Application: mahara}))
		}
	})
}

// FuzzXMLRPC reads any bytes in an answer as XML-RPC, and reads any text back out of the two forms
// in which Moodle writes it.
func FuzzXMLRPC(f *testing.F) {
	for _, text := range []string{
		"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "<boolean>0</boolean>", "é € 😀", "]]>", "&#10;", " a ", "<methodResponse>", "</methodResponse>",
		"<value><array><data/></array></value>", "<value><struct><member><name>n</name></member></struct></value>", "<value><i8>9</i8></value>", "<value><nil/></value>",
		"<value><base64>!</base64></value>", "<value><dateTime.iso8601>0</dateTime.iso8601></value>", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "<value><double>1e999</double></value>",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// The text is once the whole answer, and once the content of one.
		for _, body := range []string{text, "<methodResponse><params><param>" + text + "</param></params></methodResponse>",
			"<methodResponse><fault>" + text + "</fault></methodResponse>"} {
			value, refused, err := decodeAnswer([]byte(body))
			if refused != nil {
				check(t, refused.refusal())
			}
			if err != nil && (value != nil || refused != nil) {
				t.Fatalf("an error, and %v, %v", value, refused)
			}
		}
		if !inXML(text) {
			return
		}
		var escaped strings.Builder
		if err := xml.EscapeText(&escaped, []byte(text)); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{
			"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<methodResponse>\n<params>\n <param>\n  <value>\n   <string>%s</string>\n  </value>\n </param>\n</params>\n</methodResponse>\n",
			"<?xml version=\"1.0\"?>\n<methodResponse>\n<params>\n<param>\n<value><string>%s</string></value>\n</param>\n</params>\n</methodResponse>",
		} {
			value, refused, err := decodeAnswer(fmt.Appendf(nil, form, escaped.String()))
			if err != nil || refused != nil || value != text {
				t.Fatalf("%q is read as %q, %v, %v", text, value, refused, err)
			}
		}
	})
}

// inXML says whether XML 1.0 can contain a text (its production Char).
func inXML(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return utf8.ValidString(text)
}
