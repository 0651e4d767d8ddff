package peers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// known says whether an answer can be given that reason: one of the table, for an answer that
// arrived, or one of a family.
func known(reason rotate.Reason) bool {
	return slices.ContainsFunc(rotate.Reasons, func(row rotate.ReasonRow) bool { return row.Code == reason && !row.Unanswered }) ||
		regexp.MustCompile(`^(http_\d+|fault_-?\d+)$`).MatchString(string(reason))
}

// FuzzAnswer reads anything that a server may answer as the answer to a keyswap, to a sealed call
// and as a page. The client must neither panic nor believe it: every answer ends in something
// readable or in a Failure that is safe to print.
func FuzzAnswer(f *testing.F) {
	own := seeds(f)
	p := rotate.Peer{Wwwroot: "http://peer.example", Application: mahara}
	f.Fuzz(func(t *testing.T, number uint, body []byte) {
		status := 100 + int(number%900) // net/http takes three digits
		if len(body) > envelope.MaxSize {
			return // the exchange fails before this
		}
		a := &answer{status: status, header: http.Header{"Location": {string(body)}}, body: body}
		check(t, a.refusal(p))

		certificate, failure := readKeyswap(p, a)
		check(t, failure)
		if (certificate == nil) != (failure != nil) {
			t.Errorf("keyswap: certificate %v with failure %v", certificate != nil, failure)
		}
		sealed, failure := readSealed(own, a)
		check(t, failure)
		if failure == nil && sealed.fault != nil {
			check(t, sealed.fault.refusal())
		}
		if failure == nil && sealed.signed == nil && sealed.fault == nil {
			t.Error("an answer that is neither signed nor a fault was taken")
		}
		checkText(t, pageTitle(body), titleLimit)
	})
}

// seeds adds everything that real servers were seen to answer, and returns an identity that opens
// some of it.
func seeds(f *testing.F) rotate.Identity {
	f.Helper()
	var own rotate.Identity
	var retired []*envelope.KeyPair
	own.Retired = func() []*envelope.KeyPair { return retired }
	vectors, err := filepath.Glob(filepath.Join("..", "testdata", "vectors", "*.json"))
	if err != nil || len(vectors) == 0 {
		f.Fatalf("no vectors to begin with (%v)", err)
	}
	for _, name := range vectors {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var v struct {
			Caller struct {
				Certificate string `json:"certificate"`
				Key         string `json:"keypair_PEM"`
			}
			Response string `json:"response_raw"`
		}
		if err := json.Unmarshal(text, &v); err != nil {
			f.Fatal(err)
		}
		pair, err := envelope.ParseKeyPair(v.Caller.Certificate, v.Caller.Key)
		if err != nil {
			f.Fatal(err)
		}
		if own.Key == nil {
			own.Key = pair
		}
		retired = append(retired, pair)
		f.Add(answered(http.StatusOK), []byte(v.Response))
	}
	captures, err := filepath.Glob(filepath.Join("..", "testdata", "captures", "*.http"))
	if err != nil || len(captures) == 0 {
		f.Fatalf("no captures to begin with (%v)", err)
	}
	for _, name := range captures {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
		f.Add(answered(http.StatusOK), body)
	}
	f.Add(answered(http.StatusNotFound), []byte("<title>Error</title> error/mnet/mnetdisabled"))
	f.Add(answered(http.StatusForbidden), []byte(""))
	f.Add(answered(http.StatusMovedPermanently), []byte("http://user:password@elsewhere.example/\x1b[31m"))
	return own
}

// answered is the fuzz seed of an HTTP status.
func answered(status int) uint { return uint(status - 100) }

func check(t *testing.T, f *rotate.Failure) {
	t.Helper()
	if f == nil {
		return
	}
	if !known(f.Reason) {
		t.Errorf("reason %q is none", f.Reason)
	}
	checkText(t, f.Detail, detailLimit)
}

func checkText(t *testing.T, s string, limit int) {
	t.Helper()
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > limit || bytes.Contains([]byte(s), []byte("-----BEGIN")) {
		t.Errorf("text is not fit to print: %q", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			t.Errorf("text is not fit to print: %q has %U", s, r)
		}
	}
}
