package envelope_test

import (
	"bytes"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

func TestWhatWeSealPHPOpensAndVerifies(t *testing.T) {
	caller, callee := otherPair(t), testPair(t)
	for name, payload := range map[string]string{
		"a call":           payload,
		"UTF-8 and markup": "écrit <&> \"où\" ☃",
		"any bytes":        "\x00\xff\xfe\r\n\x80",
		"a long answer":    string(bytes.Repeat([]byte("0123456789abcdef"), 20000)),
	} {
		t.Run(name, func(t *testing.T) {
			body, err := peertest.SealCall([]byte(payload), from, stamp, caller.Private, callee.Certificate.PublicKey, counting{})
			if err != nil {
				t.Fatal(err)
			}
			var read struct {
				Opened, OpenedByCaller bool
				Verified, ByCallee     int
				Payload                []byte
				Digest, Sha1           string
				Wwwroot, Timestamp     string
			}
			php(t, `
				$body = base64_decode($in['body']);
				$of = function ($name, $text) { preg_match("~<$name( [^>]*)?>([^<]*)</$name>~", $text, $m); return $m[2]; };
				preg_match_all('~<CipherValue>([^<]*)</CipherValue>~', $body, $m);
				[$data, $key] = array_map('base64_decode', $m[1]);
				$out['OpenedByCaller'] = openssl_open($data, $ignored, $key, openssl_pkey_get_private($in['caller']), 'RC4');
				$out['Opened'] = openssl_open($data, $document, $key, openssl_pkey_get_private($in['callee']), 'RC4');
				$payload = base64_decode($of('object', $document));
				$signature = base64_decode($of('SignatureValue', $document));
				$out['Verified'] = openssl_verify($payload, $signature, $in['callerCertificate']);
				$out['ByCallee'] = openssl_verify($payload, $signature, $in['calleeCertificate']);
				$out['Payload'] = base64_encode($payload);
				$out['Digest'] = $of('DigestValue', $document);
				$out['Sha1'] = sha1($payload);
				$out['Wwwroot'] = $of('wwwroot', $document);
				$out['Timestamp'] = $of('timestamp', $document);
			`, map[string]any{
				"body":   body,
				"caller": caller.PEM, "callerCertificate": caller.Certificate.PEM,
				"callee": callee.PEM, "calleeCertificate": callee.Certificate.PEM,
			}, &read)
			if !read.Opened || read.Verified != 1 || string(read.Payload) != payload || read.Digest != read.Sha1 {
				t.Errorf("PHP reads %+v", read)
			}
			if read.OpenedByCaller || read.ByCallee != 0 {
				t.Errorf("PHP reads it with the wrong keys: %+v", read)
			}
			if read.Wwwroot != from || read.Timestamp != "1795295510" {
				t.Errorf("PHP reads wwwroot %q, timestamp %q", read.Wwwroot, read.Timestamp)
			}
		})
	}
}

// counting is a repeatable source of RC4 keys; what these keys seal needs no protection.
type counting struct{}

func (counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 17)
	}
	return len(p), nil
}

func TestWhatPHPSealsAndSignsWeOpenAndVerify(t *testing.T) {
	fromPHP(t, otherPair(t), testPair(t))
}

// OpenSSL accepts keys that Go's crypto/rsa refuses unless rsa1024min=0 is in force.
func TestShortKeysWorkAsPHPsDo(t *testing.T) {
	for _, bits := range []int{512, 768, 1023} {
		t.Run(strconv.Itoa(bits), func(t *testing.T) {
			caller, callee := shortPair(t, bits), shortPair(t, bits)
			fromPHP(t, caller, callee)
			body, err := peertest.SealCall([]byte(payload), from, stamp, caller.Private, callee.Certificate.PublicKey, counting{})
			if err != nil {
				t.Fatal(err)
			}
			values := cipherValues(t, body)
			var read struct{ Document []byte }
			php(t, `
				openssl_open(base64_decode($in['data']), $document, base64_decode($in['key']), openssl_pkey_get_private($in['callee']), 'RC4');
				$out['Document'] = base64_encode($document);
			`, map[string]any{"data": string(values[0]), "key": string(values[1]), "callee": callee.PEM}, &read)
			if !bytes.Equal(read.Document, sign(t, caller)) {
				t.Errorf("PHP opens %q", read.Document)
			}
		})
	}
}

// shortPair makes a pair with a key of the given number of bits.
func shortPair(t *testing.T, bits int) *envelope.KeyPair {
	t.Helper()
	key, err := rsa.GenerateKey(cryptorand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := oddCertificate{key: rsaInfo("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", append([]byte{0}, key.N.Bytes()...), []byte{1, 0, 1})}
	pair, err := envelope.ParseKeyPair(certificate.pem(t), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// fromPHP makes PHP sign with the caller's key and seal to the callee's.
func fromPHP(t *testing.T, caller, callee *envelope.KeyPair) {
	t.Helper()
	document := sign(t, caller)
	var made struct{ Signature, Data, Key []byte }
	php(t, `
		$document = base64_decode($in['document']);
		openssl_sign(base64_decode($in['payload']), $signature, openssl_pkey_get_private($in['caller']));
		openssl_seal($document, $data, $keys, [openssl_pkey_get_public($in['callee'])], 'RC4');
		$out = array_map('base64_encode', ['Signature' => $signature, 'Data' => $data, 'Key' => $keys[0]]);
	`, map[string]any{
		"document": document, "payload": []byte(payload), "caller": caller.PEM, "callee": callee.Certificate.PEM,
	}, &made)

	encode := func(data []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(data)) }
	// PKCS #1 v1.5 signatures are not random: PHP's must be the same as the one in our document.
	if !bytes.Contains(document, []byte("<SignatureValue>"+string(encode(made.Signature))+"</SignatureValue>")) {
		t.Error("PHP signs otherwise")
	}
	body := seal(t, []byte("replaced"), callee)
	for i, value := range [][]byte{made.Data, made.Key} {
		body = bytes.Replace(body, cipherValues(t, body)[i], encode(value), 1)
	}
	signed, _, err := envelope.OpenCall(body, callee.Private)
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.Verify(caller.Certificate.PublicKey); err != nil || string(signed.Payload) != payload {
		t.Errorf("%v, payload %q", err, signed.Payload)
	}
}

// phpCertificate is what openssl_x509_parse says about a certificate; Expires is null if it cannot
// be read at all.
type phpCertificate struct {
	Expires *int64
	CN, SAN any // a text, a list if there are several, null if there is none
	Modulus []byte
}

// readByPHP reads all texts in one run, since PHP takes longer to start than to read them.
func readByPHP(t *testing.T, texts []string) []phpCertificate {
	t.Helper()
	var read []phpCertificate
	php(t, `
		foreach ($in as $text) {
			$parsed = openssl_x509_parse($text);
			$key = openssl_pkey_get_public($text);
			$details = $key ? openssl_pkey_get_details($key) : [];
			$out[] = ['Expires' => $parsed && isset($details['rsa']) ? $parsed['validTo_time_t'] : null,
				'CN' => $parsed['subject']['CN'], 'SAN' => $parsed['subject']['subjectAltName'],
				'Modulus' => base64_encode($details['rsa']['n'])];
		}
	`, texts, &read)
	if len(read) != len(texts) {
		t.Fatalf("PHP read %d of %d certificates", len(read), len(texts))
	}
	return read
}

func TestEveryCertificateThatPHPReadsWeReadAsItDoes(t *testing.T) {
	texts := []string{testPair(t).Certificate.PEM}
	for _, odd := range oddCertificates(t) {
		texts = append(texts, odd.pem(t))
	}
	slices.Sort(texts)
	plain := len(texts)
	// After most changes of one or two bytes, OpenSSL can still read the certificate.
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		block, _ := pem.Decode([]byte(texts[random.IntN(plain)]))
		for range 1 + random.IntN(2) {
			block.Bytes[random.IntN(len(block.Bytes))] = byte(random.IntN(256))
		}
		texts = append(texts, string(pem.EncodeToMemory(block)))
	}

	readable := 0
	for i, want := range readByPHP(t, texts) {
		if want.Expires == nil {
			if i < plain {
				t.Errorf("PHP does not read:\n%s", texts[i])
			}
			continue
		}
		readable++
		got, err := envelope.ParseCertificate(texts[i])
		if err != nil {
			// This is the only check that OpenSSL does not make: times must be valid times, since
			// the expiry is stored.
			if i < plain || !strings.Contains(err.Error(), "unreadable time") {
				t.Errorf("%v\n%+v\n%s", err, want, texts[i])
			}
			continue
		}
		// PHP reads the years 50 to 67 as 2050 to 2067, against RFC 5280.
		if *want.Expires > 0 && got.NotAfter.Year() >= 1968 && got.NotAfter.Unix() != *want.Expires {
			t.Errorf("expires %d, PHP says %d\n%s", got.NotAfter.Unix(), *want.Expires, texts[i])
		}
		if text, ok := want.CN.(string); ok && text != got.CommonName {
			t.Errorf("CN %q, PHP says %q\n%s", got.CommonName, text, texts[i])
		}
		if text, ok := want.SAN.(string); ok && text != got.SubjectAltName {
			t.Errorf("subjectAltName %q, PHP says %q\n%s", got.SubjectAltName, text, texts[i])
		}
		if !bytes.Equal(got.PublicKey.N.Bytes(), want.Modulus) {
			t.Errorf("another modulus than PHP's\n%s", texts[i])
		}
	}
	if readable < len(texts)/4 {
		t.Errorf("PHP read %d of %d: nothing much was compared", readable, len(texts))
	}
}
