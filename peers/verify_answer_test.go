package peers_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// These are answers that no honest site gives, but a broken or hostile one may.

const liar = "http://liar.example"

// faultXML is a fault in Moodle's form.
func faultXML(code int, text string) []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\"?><methodResponse><fault><value><struct>"+
		"<member><name>faultCode</name><value><int>%d</int></value></member>"+
		"<member><name>faultString</name><value><string>%s</string></value></member>"+
		"</struct></value></fault></methodResponse>", code, text)
}

func TestProveBelievesNobodyTooMuch(t *testing.T) {
	ours := peertest.NewKeyPair("http://own.example", 1024)
	first, second, third := peertest.NewKeyPair(liar, 1024), peertest.NewKeyPair(liar, 1024), peertest.NewKeyPair(liar, 1024)
	foreign := peertest.NewKeyPair("http://foreign.example", 1024)
	// sealed is an answer that the liar signs with the given key.
	sealed := func(by *envelope.KeyPair, payload []byte) []byte {
		body, err := peertest.SealCall(payload, liar, time.Now(), by.Private, ours.Certificate.PublicKey, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	renewed := func(by *envelope.KeyPair, to *envelope.Certificate) []byte { return sealed(by, faultXML(7025, to.PEM)) }

	for _, c := range []struct {
		name    string
		mahara  bool     // and a keyswap is allowed
		answers [][]byte // in order; the proof begins under the first certificate
		reason  string
		detail  string // of the failure, or of the fault that proves
		// certificate is the one under which something verified, nil for none.
		certificate *envelope.Certificate
	}{
		{"a 7025 that names the certificate we used", false, [][]byte{renewed(first, first.Certificate)}, "fault_7025", "", nil},
		{"a 7025 that names another site's certificate", false, [][]byte{renewed(first, foreign.Certificate)}, "bad_certificate", "another site's", nil},
		{"a 7025 after every call", false, [][]byte{
			renewed(first, second.Certificate), renewed(second, third.Certificate), renewed(third, first.Certificate),
			renewed(first, second.Certificate), renewed(second, third.Certificate), renewed(third, first.Certificate),
		}, "fault_7025", "after every call", third.Certificate},
		{"a new key that does not open either, though it can do RC4", true,
			[][]byte{renewed(first, second.Certificate), faultXML(7023, "no")}, "fault_7023", "", first.Certificate},
		{"a 7025 without a certificate, and the same certificate by keyswap", true,
			[][]byte{sealed(second, faultXML(7025, "no")), keyswapAnswer(first.Certificate.PEM)}, "fault_7025", "", nil},
		{"a 7025 signed with the new key, and another certificate of the same name by keyswap", true,
			[][]byte{renewed(second, second.Certificate), keyswapAnswer(third.Certificate.PEM)}, "bad_certificate", "another certificate than it names", nil},
		{"a 7025 signed with the new key, and an unknown host by keyswap", true,
			[][]byte{renewed(second, second.Certificate), faultXML(7020, "no")}, "unknown_to_peer", "", nil},
		{"a 7025 signed with no key in sight", true, [][]byte{renewed(third, second.Certificate)}, "bad_signature", "", nil},
		{"a sealed fault 0 is no Mahara that heals", false, [][]byte{sealed(first, faultXML(0, "no"))}, "", "fault_0: it could not handle the call: no", first.Certificate},
		{"a sealed 7023", false, [][]byte{sealed(first, faultXML(7023, "no"))}, "", "fault_7023: none of its keys can open the call: no", first.Certificate},
		{"a sealed fault of a function that is missing", false, [][]byte{sealed(first, faultXML(7012, "no"))}, "", "fault_7012: it has no such function: no", first.Certificate},
		{"a sealed fault with a foreign signature", false, [][]byte{sealed(foreign, faultXML(7012, "no"))}, "bad_signature", "", nil},
		{"a sealed fault that says that MNet is off", false, [][]byte{sealed(first, faultXML(704, "no"))}, "mnet_off", "its MNet is switched off", first.Certificate},
		{"a sealed fault that says so by Mahara's code", false, [][]byte{sealed(first, faultXML(6012, "no"))}, "mnet_off", "switched off", first.Certificate},
		{"a sealed fault with output before its XML", false, [][]byte{sealed(first, append([]byte("Notice: x"), faultXML(7012, "no")...))},
			"stray_output", "before the XML, so Moodle cannot read the answer: Notice: x", nil},
		{"a seal around something that is not XML-RPC", false, [][]byte{sealed(first, []byte("hello"))}, "not_xmlrpc", "is not XML-RPC", nil},
		{"a seal that is cut short", false, [][]byte{sealed(first, faultXML(0, "no"))[:900]}, "not_xmlrpc", "", nil},
		{"an escape sequence for a fault", false, [][]byte{faultXML(7018, "\u009b31mred")}, "fault_7018", "no such function: red", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := make([]func([]byte) []byte, len(c.answers))
			for i, answer := range c.answers {
				answers[i] = func([]byte) []byte { return answer }
			}
			p := rotate.Peer{Wwwroot: liar, Application: "moodle", Certificate: first.Certificate.PEM}
			if c.mahara {
				p.Application = "mahara"
			}
			own := rotate.Identity{Wwwroot: "http://own.example", Key: ours}
			got := client(t, quick(canned(t, answers...))).Prove(t.Context(), own, p, nil, c.mahara)
			if reason(got.Failure) != c.reason || got.Failure != nil && !strings.Contains(got.Failure.Detail, c.detail) {
				t.Errorf("failure is %v, want %q with %q", got.Failure, c.reason, c.detail)
			}
			if (got.Failure == nil) != (got.Fault != "") || got.Failure == nil && got.Fault != c.detail {
				t.Errorf("proven by %q, failure %v", got.Fault, got.Failure)
			}
			if got.Certificate != nil && !got.Certificate.Equal(c.certificate) || got.Certificate == nil && c.certificate != nil {
				t.Errorf("named the certificate %v, want %v", got.Certificate, c.certificate)
			}
		})
	}
}

func TestAnswersAreReadInEveryForm(t *testing.T) {
	peer := peertest.NewKeyPair("http://peer.example", 1024).Certificate
	escaped := strings.ReplaceAll(peer.PEM, "\n", "&#10;")
	wrap := func(declaration, value string) string {
		return declaration + "<methodResponse><params><param><value>" + value + "</value></param></params></methodResponse>"
	}
	for _, c := range []struct{ name, body, reason string }{
		{"as ext/xmlrpc writes it", wrap(`<?xml version="1.0" encoding="utf-8"?>`, "\n <string>"+escaped+"</string>\n"), ""},
		{"as PhpXmlRpc writes it", wrap(`<?xml version="1.0"?>`, "<string>"+peer.PEM+"</string>"), ""},
		{"with CRLF", wrap(`<?xml version="1.0"?>`, "<string>"+strings.ReplaceAll(peer.PEM, "\n", "\r\n")+"</string>"), ""},
		{"without a type", wrap(`<?xml version="1.0"?>`, peer.PEM), ""},
		{"without a declaration", wrap("", "<string>"+peer.PEM+"</string>"), ""},
		{"in another encoding", wrap(`<?xml version="1.0" encoding="iso-8859-1"?>`, "<string>caf\xe9 "+peer.PEM+"</string>"), ""},
		{"after a byte order mark", wrap("\uFEFF<?xml version=\"1.0\"?>", "<string>"+peer.PEM+"</string>"), ""},
		{"an empty string", wrap("", "<string></string>"), "unknown_to_peer"},
		{"true", wrap("", "<boolean>1</boolean>"), "bad_certificate"},
		{"a number", wrap("", "<int>7</int>"), "bad_certificate"},
		{"an array", wrap("", "<array><data><value><string>x</string></value></data></array>"), "bad_certificate"},
		{"cut short", strings.TrimSuffix(wrap("", "<string>"+peer.PEM+"</string>"), "</methodResponse>"), "not_xmlrpc"},
		{"nothing", wrap("", "<nil/>"), "unknown_to_peer"},
		{"an unknown type", wrap("", "<weird>x</weird>"), "not_xmlrpc"},
		{"a call instead of an answer", "<methodCall><methodName>x</methodName></methodCall>", "not_xmlrpc"},
		{"a fault without a struct", "<methodResponse><fault><value>no</value></fault></methodResponse>", "not_xmlrpc"},
		{"a declared entity", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "y">]>` + wrap("", "<string>&e;</string>"), "not_xmlrpc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := quick(canned(t, func([]byte) []byte { return []byte(c.body) }))
			own := rotate.Identity{Wwwroot: "http://own.example", Key: &envelope.KeyPair{Certificate: peer}}
			got := client(t, o).Keyswap(t.Context(), own, rotate.Peer{Wwwroot: "http://peer.example"})
			if reason(got.Failure) != c.reason {
				t.Errorf("failure is %v, want %q", got.Failure, c.reason)
			}
			if c.reason == "" && !got.PeerCertificate.Equal(peer) {
				t.Error("read another certificate")
			}
		})
	}
}

func TestInformationalAnswersAreSkipped(t *testing.T) {
	text := append([]byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), capture(t, "keyswap_accepted_response")...)
	own := rotate.Identity{Wwwroot: "http://own.example", Key: peertest.NewKeyPair("http://own.example", 1024)}
	p := rotate.Peer{Wwwroot: "http://t3.bed.test:8080", Application: "moodle"}
	if got := client(t, quick(leadingTo(sayRaw(t, text)))).Push(t.Context(), own, p); got.Failure != nil {
		t.Error(got.Failure)
	}
}
