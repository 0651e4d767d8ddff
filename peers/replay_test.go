package peers_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// This file replays what real sites answered (testdata/vectors and testdata/captures) through the
// whole client: a server on a socket sends it again, byte for byte.

// vector is the part of a file of testdata/vectors that is needed here; its README says more.
type vector struct {
	From           string `json:"from"`
	To             string `json:"to"`
	Caller, Callee struct {
		Certificate string `json:"certificate"`
		PrivateKey  string `json:"keypair_PEM"`
	}
	Held     *string `json:"callee_certificate_held_by_caller"`
	Response string  `json:"response_raw"`
}

func readVector(t testing.TB, name string) vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func pair(t testing.TB, certificate, key string) *envelope.KeyPair {
	t.Helper()
	p, err := envelope.ParseKeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stamped is when the answer of a vector was signed, or now if that cannot be found out.
func stamped(v vector, keys ...*envelope.KeyPair) time.Time {
	for _, k := range keys {
		if signed, _, err := envelope.OpenCall([]byte(v.Response), k.Private); err == nil {
			return signed.Stamped
		}
	}
	return time.Now()
}

// canned answers HTTP requests on a socket and leads every name to it. Each request is answered by
// the next function, which gets the body.
func canned(t *testing.T, answers ...func(request []byte) []byte) func(*peers.Options) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(r.Body)
		if err != nil || len(answers) == 0 {
			t.Errorf("a request more than there are answers (%v)", err)
			return
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = w.Write(answers[0](request))
		answers = answers[1:]
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if len(answers) > 0 {
			t.Errorf("%d answers were not asked for", len(answers))
		}
	})
	return leadingTo(listener.Addr().String())
}

func leadingTo(addr string) func(*peers.Options) {
	return func(o *peers.Options) {
		o.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
}

func TestRealSealedAnswers(t *testing.T) {
	const again = "again" // the answer that the callee would give to a second call, made here with its key
	const keyswap = "keyswap"
	for _, c := range []struct {
		name    string
		vector  string
		then    []string // what is answered after the vector's answer
		skew    time.Duration
		keyswap bool
		reason  string
		healed  bool
	}{
		{name: "Moodle 3.11 answers", vector: "01_list_services"},
		{name: "Moodle 3.11 answers another method", vector: "02_list_methods"},
		{name: "Moodle 3.11 answers false", vector: "03_utf8_param"},
		{name: "Moodle 3.11 renewed its key", vector: "04_fault_7025_new_key", then: []string{again}, healed: true},
		{name: "Moodle 3.11 forgot its key", vector: "05_fault_7023_plain", then: []string{keyswap}, reason: "fault_7023"},
		{name: "Moodle 3.11 answers to our previous key", vector: "06_fault_710_sealed_to_previous_key", reason: "cannot_open"},
		{name: "Moodle 3.11 answers Moodle 5.0", vector: "10_moodle50_caller"},
		{name: "Moodle 4.1 answers", vector: "12_moodle41_callee"},
		{name: "Moodle 4.1 answers 15 seconds ahead", vector: "12_moodle41_callee", skew: -15 * time.Second},
		{name: "Moodle 4.1 answers 16 seconds ahead", vector: "12_moodle41_callee", skew: -16 * time.Second, reason: "clock"},
		{name: "Moodle 4.1 renewed its key", vector: "14_moodle41_fault_7025", then: []string{again}, healed: true},
		{name: "Mahara answers", vector: "17_mahara_callee"},
		{name: "Mahara renewed its key and signs with it", vector: "19_mahara_fault_7025_signed_by_new_key",
			keyswap: true, then: []string{keyswap, again}, healed: true},
		{name: "Mahara renewed its key and may not be asked", vector: "19_mahara_fault_7025_signed_by_new_key", reason: "bad_signature"},
		{name: "Mahara never had that key", vector: "20_mahara_fault_7025_no_certificate",
			keyswap: true, then: []string{keyswap, again}, healed: true},
		{name: "Mahara heals and answers fault 0", vector: "21_mahara_heals_but_fault_0", then: []string{again}, healed: true},
		{name: "Mahara answers fault 0 twice", vector: "21_mahara_heals_but_fault_0", then: []string{"vector"}, reason: "fault_0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := readVector(t, c.vector)
			caller := pair(t, v.Caller.Certificate, v.Caller.PrivateKey)
			callee := pair(t, v.Callee.Certificate, v.Callee.PrivateKey)
			now := stamped(v, caller).Add(c.skew)
			say := map[string]func([]byte) []byte{
				"vector": func([]byte) []byte { return []byte(v.Response) },
				keyswap:  func([]byte) []byte { return keyswapAnswer(callee.Certificate.PEM) },
				again:    func(request []byte) []byte { return answerAgain(t, v, request, caller, callee, now) },
			}
			answers := []func([]byte) []byte{say["vector"]}
			for _, then := range c.then {
				answers = append(answers, say[then])
			}
			p := rotate.Peer{Wwwroot: v.To, Application: "moodle", ServerURL: "/mnet/xmlrpc/server.php", Certificate: v.Caller.Certificate}
			if v.Held != nil {
				p.Certificate = *v.Held
			}
			if strings.Contains(c.vector, "mahara") {
				p.Application, p.ServerURL = "mahara", "/api/xmlrpc/server.php"
			}
			o := quick(canned(t, answers...), func(o *peers.Options) { o.Now = func() time.Time { return now } })
			got := client(t, o).Prove(t.Context(), rotate.Identity{Wwwroot: v.From, Key: caller}, p, nil, c.keyswap)

			if reason(got.Failure) != c.reason || got.Healed != c.healed {
				t.Fatalf("failure is %v, healed %v; want %q, %v", got.Failure, got.Healed, c.reason, c.healed)
			}
			if c.reason == "" && !got.Certificate.Equal(callee.Certificate) {
				t.Error("proven under another certificate than the callee's")
			}
		})
	}
}

func TestAnAnswerToARetiredCertificateIsNoProof(t *testing.T) {
	v := readVector(t, "12_moodle41_callee")
	retired := pair(t, v.Caller.Certificate, v.Caller.PrivateKey)
	now := stamped(v, retired)
	o := quick(canned(t, func([]byte) []byte { return []byte(v.Response) }), func(o *peers.Options) { o.Now = func() time.Time { return now } })
	who := rotate.Identity{Wwwroot: v.From, Key: peertest.NewKeyPair(v.From, 1024), Retired: func() []*envelope.KeyPair { return []*envelope.KeyPair{retired} }}
	p := rotate.Peer{Wwwroot: v.To, ServerURL: "/mnet/xmlrpc/server.php", Certificate: v.Callee.Certificate}
	got := client(t, o).Prove(t.Context(), who, p, nil, false)
	if reason(got.Failure) != "cannot_open" || !strings.Contains(got.Failure.Detail, "retired") {
		t.Errorf("failure is %v, want cannot_open", got.Failure)
	}
}

func keyswapAnswer(certificate string) []byte {
	return []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse>\n<params>\n <param>\n  <value>\n   <string>" +
		strings.ReplaceAll(certificate, "\n", "&#10;") + "</string>\n  </value>\n </param>\n</params>\n</methodResponse>\n")
}

// answerAgain opens the second call with the callee's current key, which the first answer named,
// and answers it.
func answerAgain(t *testing.T, v vector, request []byte, caller, callee *envelope.KeyPair, now time.Time) []byte {
	signed, _, err := envelope.OpenCall(request, callee.Private)
	if err != nil {
		t.Errorf("the second call is not sealed to the callee's current certificate: %v", err)
		return nil
	}
	if err := signed.Verify(caller.Certificate.PublicKey); err != nil || signed.Wwwroot != v.From {
		t.Errorf("the second call is from %s (%v)", signed.Wwwroot, err)
	}
	payload := []byte("<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data/></array></value></param></params></methodResponse>")
	answer, err := peertest.SealCall(payload, v.To, now, callee.Private, caller.Certificate.PublicKey, rand.Reader)
	if err != nil {
		t.Error(err)
	}
	return answer
}

// capture is an exchange of testdata/captures.
func capture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "captures", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRealKeyswapAnswers(t *testing.T) {
	for _, c := range []struct{ name, capture, reason, detail string }{
		{"a patched Moodle that knows us", "keyswap_accepted_response", "", ""},
		{"a patched Moodle that does not", "02_unknown_force1", "unknown_to_peer", ""},
		{"a certificate of another name", "07_known_force1_mismatchedCN", "fault_0", "Error writing to database"},
		{"something it cannot read", "20_malformed_xml", "fault_7021", "not permitted"},
		{"an unknown virtual host", "24_unknown_host_header", "not_xmlrpc", "unknown virtual host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := capture(t, c.capture)
			if _, body, _ := bytes.Cut(text, []byte("\r\n\r\n")); body[0] == '<' || body[0] == 'V' {
				// These two were recorded with their chunks joined.
				text = bytes.Replace(text, []byte("Transfer-Encoding: chunked\r\n"), nil, 1)
			}
			addr := sayRaw(t, text)
			v := readVector(t, "01_list_services")
			who := rotate.Identity{Wwwroot: v.From, Key: pair(t, v.Caller.Certificate, v.Caller.PrivateKey)}
			p := rotate.Peer{Wwwroot: "http://t3.bed.test:8080", Application: "moodle", ServerURL: "/mnet/xmlrpc/server.php"}
			got := client(t, quick(leadingTo(addr))).Push(t.Context(), who, p)
			if reason(got.Failure) != c.reason || got.Failure != nil && !strings.Contains(got.Failure.Detail, c.detail) {
				t.Errorf("failure is %v, want %q with %q", got.Failure, c.reason, c.detail)
			}
		})
	}
}

// sayRaw reads one request on a socket, answers it with these bytes and closes the connection.
func sayRaw(t *testing.T, answer []byte) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		request := make([]byte, 0, 8192)
		for !bytes.Contains(request, []byte("</methodCall>")) {
			n, err := conn.Read(request[len(request):cap(request)])
			if err != nil {
				return
			}
			request = request[:len(request)+n]
		}
		_, _ = conn.Write(answer)
	}()
	return listener.Addr().String()
}

// element is an XML element without the white space between elements, which has no meaning in
// XML-RPC.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func structure(t *testing.T, document []byte) string {
	t.Helper()
	var root element
	if err := xml.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(element)
	walk = func(e element) {
		b.WriteString("<" + e.XMLName.Local + ">")
		if len(e.Children) == 0 {
			b.WriteString(e.Text)
		}
		for _, child := range e.Children {
			walk(child)
		}
		b.WriteString("</>")
	}
	walk(root)
	return b.String()
}

func TestKeyswapsHaveTheStructureOfTheCapturedOnes(t *testing.T) {
	for _, c := range []struct {
		name, capture, from string
		force               bool
	}{
		{"with four parameters", "keyswap_forced_request", "http://t1.bed.test:8080", true},
		{"with three", "keyswap_three_params_request", "http://stock.bed.test:8081", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, want, _ := bytes.Cut(capture(t, c.capture), []byte("\r\n\r\n"))
			var call struct {
				Params []string `xml:"params>param>value>string"`
			}
			if err := xml.Unmarshal(want, &call); err != nil {
				t.Fatal(err)
			}
			certificate, err := envelope.ParseCertificate(call.Params[1])
			if err != nil {
				t.Fatal(err)
			}
			var sent []byte
			o := quick(canned(t, func(request []byte) []byte { sent = request; return keyswapAnswer("x") }))
			who := rotate.Identity{Wwwroot: c.from, Key: &envelope.KeyPair{Certificate: certificate}}
			swap := client(t, o).Keyswap
			if c.force {
				swap = client(t, o).Push
			}
			swap(t.Context(), who, rotate.Peer{Wwwroot: "http://peer.example", Application: "moodle"})
			if got, want := structure(t, sent), structure(t, want); got != want {
				t.Errorf("sent %s\nwant %s", got, want)
			}
		})
	}
}
