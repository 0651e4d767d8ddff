package envelope_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/envelope"
)

const vectorDir = "../testdata/vectors"

// generation is a key pair as a vector stores it.
type generation struct {
	Certificate string
	Keypair     string `json:"keypair_PEM"`
}

type site struct {
	generation
	History []json.RawMessage // objects, or an empty list if Mahara began its history
}

// vector is one real exchange; a value is null if the recorder could not see it.
type vector struct {
	From, To       string
	Caller, Callee site

	RequestXMLRPC  *string `json:"request_xmlrpc"`
	RequestSigned  *string `json:"request_signed"`
	RequestSealed  string  `json:"request_sealed"`
	ResponseRaw    string  `json:"response_raw"`
	ResponseXMLRPC *string `json:"response_xmlrpc"`

	// What OpenSSL said, in the later files: "current", "history 0", or null for none.
	RequestOpens   *string `json:"request_opens_with_callee"`
	RequestSigner  *string `json:"request_signed_by_caller"`
	ResponseOpens  *string `json:"response_opens_with_caller"`
	ResponseSigner *string `json:"response_signed_by_callee"`
}

// These name the key of a site that opens or signed a document, as the vectors do.
const (
	current  = "current"
	archived = "history 0"
	none     = ""
)

// expectation is a row of the vectors' README. plain means that the response is not sealed.
type expectation struct {
	requestOpens, responseOpens, responseSigner string
	plain                                       bool
}

var expectations = map[string]expectation{
	"01_list_services":                       {current, current, current, false},
	"02_list_methods":                        {current, current, current, false},
	"03_utf8_param":                          {current, current, current, false},
	"04_fault_7025_new_key":                  {archived, current, archived, false},
	"05_fault_7023_plain":                    {none, none, none, true},
	"06_fault_710_sealed_to_previous_key":    {current, none, none, false},
	"10_moodle50_caller":                     {current, current, current, false},
	"12_moodle41_callee":                     {current, current, current, false},
	"14_moodle41_fault_7025":                 {archived, current, archived, false},
	"17_mahara_callee":                       {current, current, current, false},
	"19_mahara_fault_7025_signed_by_new_key": {archived, current, current, false},
	// The request is sealed to a certificate that the callee never had, so none of its keys opens
	// it.
	"20_mahara_fault_7025_no_certificate": {none, current, current, false},
	"21_mahara_heals_but_fault_0":         {current, none, none, true},
}

func loadVector(t testing.TB, name string) *vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectorDir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	v := new(vector)
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// pairs are the site's keys, by the names that the vectors give them.
func (s site) pairs(t testing.TB) map[string]*envelope.KeyPair {
	t.Helper()
	pairs := map[string]*envelope.KeyPair{current: parsePair(t, s.generation)}
	for _, raw := range s.History {
		var g generation
		if json.Unmarshal(raw, &g) == nil && g.Certificate != "" {
			pairs[archived] = parsePair(t, g)
			break
		}
	}
	return pairs
}

func parsePair(t testing.TB, g generation) *envelope.KeyPair {
	t.Helper()
	pair, err := envelope.ParseKeyPair(g.Certificate, g.Keypair)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestEveryVectorHasAnExpectationAndEveryExpectationAVector(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".json")])
		seen[name] = true
		if _, known := expectations[name]; !known {
			t.Fatalf("%s: nobody says what to expect of it", name)
		}
	}
	for name := range expectations {
		if !seen[name] {
			t.Fatalf("%s: no such file", name)
		}
	}
}

func TestEveryVectorOpensVerifiesOrFailsAsItsReadmeSays(t *testing.T) {
	for name, want := range expectations {
		t.Run(name, func(t *testing.T) {
			v := loadVector(t, name)
			caller, callee := v.Caller.pairs(t), v.Callee.pairs(t)

			request := checkOpens(t, []byte(v.RequestSealed), callee, want.requestOpens)
			if request != nil {
				checkSigned(t, request, v.From, caller, current)
				checkPayload(t, request, v.RequestXMLRPC)
			}
			if got := envelope.IsSealed([]byte(v.ResponseRaw)); got == want.plain {
				t.Fatalf("IsSealed(response) = %v", got)
			}
			if want.plain {
				if _, _, err := envelope.OpenCall([]byte(v.ResponseRaw), caller[current].Private); !errors.Is(err, envelope.ErrMalformed) {
					t.Fatalf("open plain response: %v, want ErrMalformed", err)
				}
				return
			}
			response := checkOpens(t, []byte(v.ResponseRaw), map[string]*envelope.KeyPair{current: caller[current]}, want.responseOpens)
			if response != nil {
				checkSigned(t, response, v.To, callee, want.responseSigner)
				checkPayload(t, response, v.ResponseXMLRPC)
			}
		})
	}
}

// checkOpens opens body with each key alone: only the expected one may open it.
func checkOpens(t *testing.T, body []byte, keys map[string]*envelope.KeyPair, want string) *envelope.Signed {
	t.Helper()
	if want != none && keys[want] == nil {
		t.Fatalf("the vector has no key %q", want)
	}
	var opened *envelope.Signed
	for name, pair := range keys {
		signed, index, err := envelope.OpenCall(body, pair.Private)
		switch {
		case name == want && err != nil:
			t.Fatalf("open with key %q: %v", name, err)
		case name == want && index != 0:
			t.Fatalf("opened with key number %d of 1", index)
		case name == want:
			opened = signed
		case !errors.Is(err, envelope.ErrCannotOpen):
			t.Fatalf("open with key %q: %v, want ErrCannotOpen", name, err)
		}
	}
	return opened
}

// checkSigned verifies with each key of the signer: only the expected one may verify.
func checkSigned(t *testing.T, signed *envelope.Signed, wwwroot string, keys map[string]*envelope.KeyPair, want string) {
	t.Helper()
	if signed.Wwwroot != wwwroot {
		t.Errorf("wwwroot %q, want %q", signed.Wwwroot, wwwroot)
	}
	verified := false
	for name, pair := range keys {
		err := signed.Verify(pair.Certificate.PublicKey)
		if name == want {
			verified = err == nil
		} else if !errors.Is(err, envelope.ErrSignature) {
			t.Errorf("verify with key %q: %v, want ErrSignature", name, err)
		}
	}
	if !verified {
		t.Errorf("does not verify with key %q", want)
	}
}

func checkPayload(t *testing.T, signed *envelope.Signed, want *string) {
	t.Helper()
	if want != nil {
		if diff := cmp.Diff(*want, string(signed.Payload)); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
	}
}

func TestWhatOpenSSLFoundInTheVectorsIsWhatIsExpected(t *testing.T) {
	for name, want := range expectations {
		v := loadVector(t, name)
		if v.ResponseSigner == nil { // an older file, or a plain answer
			continue
		}
		for what, pair := range map[string][2]string{
			"request opens":   {text(v.RequestOpens), want.requestOpens},
			"response opens":  {text(v.ResponseOpens), want.responseOpens},
			"response signer": {text(v.ResponseSigner), want.responseSigner},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s: OpenSSL says %q, expected %q", name, what, pair[0], pair[1])
			}
		}
	}
}

func text(s *string) string {
	if s == nil {
		return none
	}
	return *s
}

func TestSigningAVectorsPayloadAgainGivesItsDocumentByteForByte(t *testing.T) {
	for name := range expectations {
		v := loadVector(t, name)
		if v.RequestSigned == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			recorded, err := envelope.ParseSigned([]byte(*v.RequestSigned))
			if err != nil {
				t.Fatal(err)
			}
			key := v.Caller.pairs(t)[current].Private
			again, err := envelope.Sign([]byte(*v.RequestXMLRPC), v.From, recorded.Stamped, key)
			if err != nil {
				t.Fatal(err)
			}
			// One of the recorded sites runs a renamed Moodle, which renamed this too. No code
			// reads it.
			moodle := strings.Replace(*v.RequestSigned, `Id="agpuSignature"`, `Id="MoodleSignature"`, 1)
			if diff := cmp.Diff(moodle, string(again)); diff != "" {
				t.Errorf("(-Moodle +ours):\n%s", diff)
			}
		})
	}
}

func TestSealingUnderAVectorsOwnRC4KeyGivesItsDocumentByteForByte(t *testing.T) {
	for name, want := range expectations {
		v := loadVector(t, name)
		if v.RequestSigned == nil || want.requestOpens == none {
			continue
		}
		t.Run(name, func(t *testing.T) {
			pair := v.Callee.pairs(t)[want.requestOpens]
			values := cipherValues(t, []byte(v.RequestSealed))
			//lint:ignore SA1019 MNet seals with PKCS #1 v1.5
			rc4Key, err := rsa.DecryptPKCS1v15(nil, pair.Private, decodeBase64(t, values[1]))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := envelope.Seal([]byte(*v.RequestSigned), v.From, pair.Certificate.PublicKey, bytes.NewReader(rc4Key))
			if err != nil {
				t.Fatal(err)
			}
			// The RSA padding is random: after it is replaced by the vector's, everything else must
			// be the same.
			ours = bytes.Replace(ours, cipherValues(t, ours)[1], values[1], 1)
			if diff := cmp.Diff(v.RequestSealed, string(ours)); diff != "" {
				t.Errorf("(-Moodle +ours):\n%s", diff)
			}
		})
	}
}
