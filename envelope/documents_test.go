package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

const (
	from    = "http://from.test"
	payload = "<?xml version=\"1.0\"?>\n<methodCall><methodName>system/listServices</methodName><params/></methodCall>\n"
)

var stamp = time.Unix(1795295510, 0).UTC()

// testPair is the callee of the first vector: making keys is slow, and these keys protect nothing.
func testPair(t testing.TB) *envelope.KeyPair {
	return loadVector(t, "01_list_services").Callee.pairs(t)[current]
}

func otherPair(t testing.TB) *envelope.KeyPair {
	return loadVector(t, "01_list_services").Caller.pairs(t)[current]
}

func sign(t testing.TB, pair *envelope.KeyPair) []byte {
	t.Helper()
	document, err := envelope.Sign([]byte(payload), from, stamp, pair.Private)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func seal(t testing.TB, document []byte, pair *envelope.KeyPair) []byte {
	t.Helper()
	body, err := envelope.Seal(document, from, pair.Certificate.PublicKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// cipherValues are the base64 of the two CipherValue elements, data first.
func cipherValues(t testing.TB, body []byte) [][]byte {
	t.Helper()
	var values [][]byte
	for {
		_, after, found := bytes.Cut(body, []byte("<CipherValue>"))
		if !found {
			break
		}
		value, rest, _ := bytes.Cut(after, []byte("</CipherValue>"))
		values, body = append(values, value), rest
	}
	if len(values) != 2 {
		t.Fatalf("%d CipherValue elements, want 2", len(values))
	}
	return values
}

func decodeBase64(t testing.TB, text []byte) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestACallOpensAndVerifiesOnlyWithTheKeysItWasMadeFor(t *testing.T) {
	caller, callee := otherPair(t), testPair(t)
	body, err := peertest.SealCall([]byte(payload), from, stamp, caller.Private, callee.Certificate.PublicKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, index, err := envelope.OpenCall(body, nil, caller.Private, callee.Private)
	if err != nil {
		t.Fatal(err)
	}
	if index != 2 || string(signed.Payload) != payload || signed.Wwwroot != from || !signed.Stamped.Equal(stamp) {
		t.Errorf("opened %+v with key %d", signed, index)
	}
	if err := signed.Verify(caller.Certificate.PublicKey); err != nil {
		t.Error(err)
	}
	for _, key := range []*envelope.Certificate{callee.Certificate, {}} {
		if err := signed.Verify(key.PublicKey); !errors.Is(err, envelope.ErrSignature) {
			t.Errorf("verify with another key: %v, want ErrSignature", err)
		}
	}
	if _, index, err := envelope.OpenCall(body, caller.Private); !errors.Is(err, envelope.ErrCannotOpen) || index != -1 {
		t.Errorf("open with another key: %d, %v, want -1, ErrCannotOpen", index, err)
	}
}

func TestRootsStandWhereOldServersLookForThem(t *testing.T) {
	document := sign(t, testPair(t))
	for root, text := range map[string][]byte{
		"<signedMessage>":    document,
		"<encryptedMessage>": seal(t, document, testPair(t)),
	} {
		if at := bytes.Index(text[:100], []byte(root)); at <= 0 {
			t.Errorf("%s at %d of the first 100 bytes", root, at)
		}
	}
}

func TestAWwwrootWithMarkupInItComesBackAsItWas(t *testing.T) {
	const odd = `http://a.test/?x=1&y=<"'>é`
	pair := testPair(t)
	body, err := peertest.SealCall([]byte(payload), odd, stamp, pair.Private, pair.Certificate.PublicKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := envelope.OpenCall(body, pair.Private)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Wwwroot != odd {
		t.Errorf("wwwroot %q, want %q", signed.Wwwroot, odd)
	}
}

func TestChangedSignedDocumentsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"another digest":                        {`<DigestValue>`, `<DigestValue>0`, envelope.ErrDigest},
		"another payload":                       {`ID="XMLRPC-MSG">PD9`, `ID="XMLRPC-MSG">PE9`, envelope.ErrDigest},
		"an empty payload":                      {`<object ID="XMLRPC-MSG">`, `<object/><other>`, envelope.ErrMalformed},
		"two payloads":                          {`<wwwroot>`, `<object>PD94</object><wwwroot>`, envelope.ErrDoubled},
		"a payload hidden deeper":               {`<KeyInfo>`, `<KeyInfo><object>PD94</object>`, envelope.ErrDoubled},
		"two payloads, one in capitals":         {`<wwwroot>`, `<OBJECT>PD94</OBJECT><wwwroot>`, envelope.ErrDoubled},
		"two wwwroots":                          {`<wwwroot>`, `<wwwroot>http://evil.test</wwwroot><wwwroot>`, envelope.ErrDoubled},
		"two wwwroots, one with a prefix":       {`<wwwroot>`, `<x:wwwroot>http://evil.test</x:wwwroot><wwwroot>`, envelope.ErrDoubled},
		"two timestamps":                        {`<timestamp>`, `<timestamp>1</timestamp><timestamp>`, envelope.ErrDoubled},
		"two digests":                           {`<DigestValue>`, `<DigestValue>0</DigestValue><DigestValue>`, envelope.ErrDoubled},
		"two signatures":                        {`<SignatureValue>`, `<SignatureValue>AAAA</SignatureValue><SignatureValue>`, envelope.ErrDoubled},
		"two roots":                             {`</signedMessage>`, `</signedMessage><signedMessage/>`, envelope.ErrMalformed},
		"text after the root":                   {`</signedMessage>`, `</signedMessage>x`, envelope.ErrMalformed},
		"another root":                          {`signedMessage>`, `message>`, envelope.ErrMalformed},
		"no wwwroot":                            {`wwwroot>`, `root>`, envelope.ErrMalformed},
		"a comment in the wwwroot":              {`http://from.test<`, `http://from.test<!-- -->.evil.test<`, envelope.ErrMalformed},
		"a timestamp that is no number":         {`<timestamp>`, `<timestamp>x`, envelope.ErrMalformed},
		"a timestamp before the epoch":          {`<timestamp>`, `<timestamp>-`, envelope.ErrMalformed},
		"a timestamp beyond the calendar":       {`<timestamp>`, `<timestamp>9999999999`, envelope.ErrMalformed},
		"a signature by another algorithm":      {`#rsa-sha1`, `#rsa-sha256`, envelope.ErrMalformed},
		"a digest by another algorithm":         {`xmldsig#sha1`, `xmldsig#sha256`, envelope.ErrMalformed},
		"a signature that is not base64":        {`<SignatureValue>`, `<SignatureValue>!`, envelope.ErrMalformed},
		"a document type":                       {`<signedMessage>`, `<!DOCTYPE signedMessage><signedMessage>`, envelope.ErrDTD},
		"an entity declared and used":           {`<signedMessage>`, `<!DOCTYPE x [<!ENTITY a "b">]><signedMessage>&a;`, envelope.ErrDTD},
		"an entity declared inside":             {`<object`, `<!ENTITY a "b"><object`, envelope.ErrDTD},
		"an entity nobody declared":             {`http://from.test<`, `http://from.test&nbsp;<`, envelope.ErrMalformed},
		"elements nested without end":           {`<KeyInfo>`, `<KeyInfo>` + strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50), envelope.ErrMalformed},
		"elements without number":               {`<KeyInfo>`, `<KeyInfo>` + strings.Repeat("<a/>", 50000), envelope.ErrMalformed},
		"more than a mebibyte":                  {`<KeyInfo>`, `<KeyInfo>` + strings.Repeat(" ", envelope.MaxSize), envelope.ErrTooLarge},
		"bytes that are not UTF-8 in a wwwroot": {`http://from.test<`, "http://from.test\xe9<", envelope.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			document := string(sign(t, testPair(t)))
			changed := strings.ReplaceAll(document, c.old, c.new)
			if changed == document {
				t.Fatalf("nothing to change: %q", c.old)
			}
			if name == "an empty payload" {
				changed = strings.Replace(changed, `</object>`, `</other>`, 1)
			}
			if _, err := envelope.ParseSigned([]byte(changed)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestChangedSealsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"another key length":                  {`<CipherValue>`, `<CipherValue>AAAA`, envelope.ErrCannotOpen},
		"two wwwroots":                        {`</encryptedMessage>`, `<wwwroot>http://evil.test</wwwroot></encryptedMessage>`, envelope.ErrDoubled},
		"two keys":                            {`<wwwroot>`, `<EncryptedKey/><wwwroot>`, envelope.ErrDoubled},
		"two data":                            {`<wwwroot>`, `<EncryptedData/><wwwroot>`, envelope.ErrDoubled},
		"two ciphers in one":                  {`</CipherData>`, `<CipherValue>AAAA</CipherValue></CipherData>`, envelope.ErrDoubled},
		"a third cipher elsewhere":            {`<wwwroot>`, `<CipherValue>AAAA</CipherValue><wwwroot>`, envelope.ErrDoubled},
		"two roots":                           {`</encryptedMessage>`, `</encryptedMessage><encryptedMessage/>`, envelope.ErrMalformed},
		"data that is not base64":             {`<CipherValue>`, `<CipherValue>*`, envelope.ErrMalformed},
		"no data":                             {`EncryptedData`, `Data`, envelope.ErrMalformed},
		"data by AES":                         {`#arcfour`, `#aes128-cbc`, envelope.ErrMalformed},
		"a key by OAEP":                       {`#rsa-1_5`, `#rsa-oaep-mgf1p`, envelope.ErrMalformed},
		"a document type":                     {`<encryptedMessage>`, `<!DOCTYPE x><encryptedMessage>`, envelope.ErrDTD},
		"text after the root, such as a page": {`</encryptedMessage>`, `</encryptedMessage><html>`, envelope.ErrMalformed},
		"no declaration":                      {`<?xml version="1.0" encoding="iso-8859-1"?>`, ``, envelope.ErrMalformed},
		"more than a mebibyte":                {`<?xml`, strings.Repeat(" ", envelope.MaxSize) + `<?xml`, envelope.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			body := string(seal(t, sign(t, testPair(t)), testPair(t)))
			changed := strings.ReplaceAll(body, c.old, c.new)
			if changed == body {
				t.Fatalf("nothing to change: %q", c.old)
			}
			if _, err := envelope.Open([]byte(changed), testPair(t).Private); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestASealIsFoundInWhiteSpaceAndBesidesUnknownElements(t *testing.T) {
	document := sign(t, testPair(t))
	body := string(seal(t, document, testPair(t)))
	for name, changed := range map[string]string{
		"white space":      "\r\n\t " + body,
		"a byte order":     "\xef\xbb\xbf" + body,
		"Mahara's element": strings.Replace(body, "</encryptedMessage>", "<X1>nothing</X1></encryptedMessage>", 1),
		"line ends after":  body + "\r\n\n",
		"wrapped base64":   strings.Replace(body, "<CipherValue>", "<CipherValue>\n  ", 1),
	} {
		if !envelope.IsSealed([]byte(changed)) {
			t.Errorf("%s: not seen as sealed", name)
		}
		opened, err := envelope.Open([]byte(changed), testPair(t).Private)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(opened.Document, document) {
			t.Errorf("%s: opened %q", name, opened.Document)
		}
	}
}

func TestNoTruncatedDocumentIsRead(t *testing.T) {
	pair := testPair(t)
	document := sign(t, pair)
	for n := range document {
		if _, err := envelope.ParseSigned(document[:n]); !errors.Is(err, envelope.ErrMalformed) {
			t.Fatalf("first %d bytes of a signed document: %v, want ErrMalformed", n, err)
		}
	}
	body := seal(t, document, pair)
	for n := range body {
		if _, err := envelope.Open(body[:n], pair.Private); !errors.Is(err, envelope.ErrMalformed) {
			t.Fatalf("first %d bytes of a sealed document: %v, want ErrMalformed", n, err)
		}
	}
}

func TestNoChangedByteLetsAnotherPayloadVerify(t *testing.T) {
	pair := testPair(t)
	document := sign(t, pair)
	refused := 0
	for i := range document {
		changed := bytes.Clone(document)
		changed[i] ^= 1
		signed, err := envelope.ParseSigned(changed)
		if err != nil || signed.Verify(pair.Certificate.PublicKey) != nil {
			refused++
		} else if string(signed.Payload) != payload {
			t.Fatalf("byte %d changed and verified: %q", i, signed.Payload)
		}
	}
	// What may change unnoticed is what no code reads or signs: white space, attributes, the
	// wwwroot, the timestamp.
	if least := len(document) / 2; refused < least {
		t.Errorf("%d of %d changes refused, want %d at least", refused, len(document), least)
	}
}

func TestACallSealedByAnotherThanSignedItIsRefused(t *testing.T) {
	pair := testPair(t)
	document, err := envelope.Sign([]byte(payload), "http://other.test", stamp, pair.Private)
	if err != nil {
		t.Fatal(err)
	}
	_, index, err := envelope.OpenCall(seal(t, document, pair), pair.Private)
	if !errors.Is(err, envelope.ErrWwwroot) || index != 0 {
		t.Errorf("%d, %v, want 0, ErrWwwroot", index, err)
	}
}

func TestWhatCannotBeSignedOrSealedIsRefused(t *testing.T) {
	pair := testPair(t)
	large := make([]byte, envelope.MaxSize)
	if _, err := envelope.Sign(large, from, stamp, pair.Private); !errors.Is(err, envelope.ErrTooLarge) {
		t.Errorf("sign a mebibyte: %v, want ErrTooLarge", err)
	}
	if _, err := envelope.Seal(large, from, pair.Certificate.PublicKey, rand.Reader); !errors.Is(err, envelope.ErrTooLarge) {
		t.Errorf("seal a mebibyte: %v, want ErrTooLarge", err)
	}
	if _, err := envelope.Sign(nil, from, stamp, pair.Private); err == nil {
		t.Error("signed an empty payload")
	}
	if _, err := envelope.Sign([]byte(payload), from, stamp, nil); err == nil {
		t.Error("signed without a key")
	}
	if _, err := envelope.Seal([]byte(payload), from, nil, rand.Reader); err == nil {
		t.Error("sealed to nobody")
	}
	dry := errors.New("dry")
	if _, err := envelope.Seal([]byte(payload), from, pair.Certificate.PublicKey, failing{dry}); !errors.Is(err, dry) {
		t.Errorf("seal without randomness: %v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

func TestErrorsShowNothingOfWhatTheyRead(t *testing.T) {
	const marker = "MARKERMARKER"
	document := string(sign(t, testPair(t)))
	for _, changed := range []string{
		strings.Replace(document, "<object", "<object &"+marker+"; ", 1),
		strings.Replace(document, "<object", "<"+marker+"><object", 1),
		strings.Replace(document, "<timestamp>", "<timestamp>"+marker, 1),
		strings.Replace(document, "<DigestValue>", "<DigestValue>"+marker, 1),
		marker,
	} {
		_, err := envelope.ParseSigned([]byte(changed))
		if err == nil || strings.Contains(fmt.Sprint(err), marker) {
			t.Errorf("error %v", err)
		}
	}
}
