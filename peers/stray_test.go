package peers_test

import (
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// A document that Moodle's parser refuses proves nothing. The test puts text before and after the
// XML of a keyswap, of a sealed answer, of the content of the seal, and of an unsealed fault.
func TestOutputAroundTheXMLIsNoAnswer(t *testing.T) {
	noises := map[peertest.Fault]string{
		peertest.Notices:  "before the XML, so Moodle cannot read the answer: <br /> <b>Notice</b>",
		peertest.Warnings: "before the XML, so Moodle cannot read the answer: PHP Warning",
		peertest.Footer:   "behind the XML, so Moodle cannot read the answer: <br /> <b>Warning</b>",
		peertest.Comment:  "behind the XML, so Moodle cannot read the answer: <!-- 0.21 s, 12 MB -->",
	}
	for _, place := range []struct {
		name   string
		faults func(noise peertest.Fault) []peertest.Fault
		pushed bool // the keyswap is clean
	}{
		{"everywhere", func(f peertest.Fault) []peertest.Fault { return []peertest.Fault{f} }, false},
		{"keyswap", func(f peertest.Fault) []peertest.Fault { return []peertest.Fault{peertest.OnPlain(f)} }, false},
		{"sealed answer", func(f peertest.Fault) []peertest.Fault { return []peertest.Fault{peertest.OnSealed(f)} }, true},
		{"in the seal", func(f peertest.Fault) []peertest.Fault { return []peertest.Fault{peertest.InSeal(f)} }, true},
		{"plain fault", func(f peertest.Fault) []peertest.Fault {
			return []peertest.Fault{f, peertest.Answers(7018)}
		}, false},
		{"sealed fault", func(f peertest.Fault) []peertest.Fault {
			return []peertest.Fault{peertest.OnSealed(f), peertest.AnswersSealed(17)}
		}, true},
	} {
		for noise, detail := range noises {
			t.Run(place.name+", "+string(noise), func(t *testing.T) {
				t.Parallel()
				own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{Kind: peertest.Stock})
				introduce(t, own, peer)
				peer.Misbehave(place.faults(noise)...)
				c := client(t, quick())
				push := c.Push(t.Context(), identity(t, own), row(peer))
				if !place.pushed {
					strayed(t, push.Failure, detail)
				} else if push.Failure != nil {
					t.Error(push.Failure)
				}
				proof := c.Prove(t.Context(), identity(t, own), row(peer), nil, false)
				if place.name == "keyswap" { // it leaves sealed answers alone
					if proof.Failure != nil {
						t.Error(proof.Failure)
					}
					return
				}
				strayed(t, proof.Failure, detail)
				if proof.Certificate != nil || proof.Fault != "" {
					t.Errorf("believed %v, %q", proof.Certificate, proof.Fault)
				}
			})
		}
	}
}

func strayed(t *testing.T, f *rotate.Failure, detail string) {
	t.Helper()
	if reason(f) != "stray_output" || f.Pending || !strings.Contains(f.Detail, detail) {
		t.Errorf("failure is %v, want stray_output %q", f, detail)
	}
}

func TestWhiteSpaceAndAByteOrderMarkAroundTheXMLHarmNobody(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{Kind: peertest.Stock})
	introduce(t, own, peer)
	renew(t, own, true)
	own.Misbehave(peertest.Padded) // the peer reads our answers, too
	peer.Misbehave(peertest.Padded, peertest.InSeal(peertest.Padded))
	c := client(t, quick())
	if push := c.Push(t.Context(), identity(t, own), row(peer)); push.Failure != nil {
		t.Error(push.Failure)
	}
	if proof := c.Prove(t.Context(), identity(t, own), row(peer), nil, false); proof.Failure != nil {
		t.Error(proof.Failure)
	}
}

// The PEM block of publickey.php may have anything around it: Moodle reads none of it.
func TestOutputAroundAPageIsNoMatter(t *testing.T) {
	peer := peertest.Run(t, peertest.Options{})
	peer.Misbehave(peertest.Notices, peertest.Footer)
	if _, err := client(t, quick()).PublicKey(t.Context(), row(peer)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsShownOfStrayOutputIsShortAndClean(t *testing.T) {
	loud := "\x1b[31m<b>Notice</b>\u202e -----BEGIN PRIVATE KEY-----" + strings.Repeat("x", 200)
	o := quick(canned(t, func([]byte) []byte { return []byte(loud + string(keyswapAnswer("x"))) }))
	who := rotate.Identity{Wwwroot: "http://own.example", Key: peertest.NewKeyPair("http://own.example", 1024)}
	got := client(t, o).Keyswap(t.Context(), who, rotate.Peer{Wwwroot: liar}).Failure
	_, shown, found := strings.Cut(got.Detail, "answer: ")
	if reason(got) != "stray_output" || !found || shown != "<b>Notice</b> (PEM left out)" {
		t.Errorf("shows %q of it: %v", shown, got)
	}
	long := strings.Repeat("é", 300)
	o = quick(canned(t, func([]byte) []byte { return append(keyswapAnswer("x"), long...) }))
	got = client(t, o).Keyswap(t.Context(), who, rotate.Peer{Wwwroot: liar}).Failure
	if _, shown, _ = strings.Cut(got.Detail, "answer: "); shown != strings.Repeat("é", 79)+"…" {
		t.Errorf("shows %q", shown)
	}
}

func TestAPageIsNotStrayOutput(t *testing.T) {
	who := rotate.Identity{Wwwroot: "http://own.example", Key: peertest.NewKeyPair("http://own.example", 1024)}
	for name, page := range map[string]string{
		"HTML":            "<?xml version=\"1.0\"?><!DOCTYPE html><html><title>x</title></html>",
		"a call":          "<?xml version=\"1.0\"?><methodCall><methodName>x</methodName></methodCall>",
		"an answer begun": "Notice: x<?xml version=\"1.0\"?><methodResponse><params>",
	} {
		o := quick(canned(t, func([]byte) []byte { return []byte(page) }))
		if f := client(t, o).Keyswap(t.Context(), who, rotate.Peer{Wwwroot: liar}).Failure; reason(f) != "not_xmlrpc" {
			t.Errorf("%s: %v", name, f)
		}
	}
}
