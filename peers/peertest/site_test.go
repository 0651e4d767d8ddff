package peertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// introduce makes two sites know each other.
func introduce(t *testing.T, a, b *peertest.Site) {
	t.Helper()
	for _, pair := range [][2]*peertest.Site{{a, b}, {b, a}} {
		know := pair[0].Know
		if pair[1].Application() == "mahara" {
			know = pair[0].KnowMahara
		}
		must(t, know(pair[1].Wwwroot(), pair[1].Certificate()))
	}
}

// faultOf is the code of the fault in an error, peertest.NoFault if there is none.
func faultOf(err error) int {
	var fault *peertest.FaultError
	if errors.As(err, &fault) {
		return fault.Code
	}
	return peertest.NoFault
}

func TestSitesCallEachOtherAndHeal(t *testing.T) {
	moodle := peertest.Options{Kind: peertest.Stock}
	modern := peertest.Options{Kind: peertest.Stock, Modern: true}
	mahara := peertest.Options{Kind: peertest.Mahara}
	for _, c := range []struct {
		name           string
		caller, callee peertest.Options
		arrange        func(t *testing.T, caller, callee *peertest.Site)
		fault          int // of the first call; NoFault: it succeeds
		second         int // of the second call
	}{
		{"two that know each other", moodle, moodle, func(*testing.T, *peertest.Site, *peertest.Site) {}, -1, -1},
		{"3.11 and 4.1", moodle, modern, func(*testing.T, *peertest.Site, *peertest.Site) {}, -1, -1},
		{"Moodle and Mahara", moodle, mahara, func(*testing.T, *peertest.Site, *peertest.Site) {}, -1, -1},
		{"a callee that does not know the caller", moodle, moodle, func(t *testing.T, caller, _ *peertest.Site) {
			stranger := peertest.Run(t, moodle)
			must(t, caller.Know(stranger.Wwwroot(), stranger.Certificate()))
			err := caller.Call(t.Context(), stranger.Wwwroot())
			if faultOf(err) != 7020 {
				t.Errorf("a stranger answered %v, want fault 7020", err)
			}
		}, -1, -1},
		{"a caller that renewed: the callee fetches its key", moodle, moodle, renewed(0), -1, -1},
		{"a caller that renewed twice", moodle, modern, func(t *testing.T, caller, _ *peertest.Site) {
			must(t, caller.Renew(true))
			must(t, caller.Renew(true))
		}, -1, -1},
		{"a caller that renewed four times: the callee's certificate of it is forgotten", moodle, moodle,
			func(t *testing.T, caller, _ *peertest.Site) {
				for range 4 {
					must(t, caller.Renew(true))
				}
			}, other, other},
		{"a caller that forgot its key", moodle, moodle, func(t *testing.T, caller, _ *peertest.Site) { must(t, caller.Renew(false)) }, other, other},
		{"a callee that renewed: 7025 tells the caller", moodle, moodle, renewed(1), -1, -1},
		{"a callee that forgot its key", moodle, moodle, func(t *testing.T, _, callee *peertest.Site) { must(t, callee.Renew(false)) }, 7023, 7023},
		{"both renewed", moodle, modern, func(t *testing.T, caller, callee *peertest.Site) {
			must(t, caller.Renew(true))
			must(t, callee.Renew(true))
		}, -1, -1},
		{"Mahara heals on the first call and answers the second", moodle, mahara, renewed(0), 0, -1},
		{"Mahara that renewed: Moodle takes a 7025 signed with the new key", moodle, mahara, renewed(1), -1, -1},
		{"a Moodle that Mahara calls heals", mahara, moodle, renewed(0), -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			caller, callee := peertest.Run(t, c.caller), peertest.Run(t, c.callee)
			introduce(t, caller, callee)
			c.arrange(t, caller, callee)
			for i, want := range []int{c.fault, c.second} {
				err := caller.Call(t.Context(), callee.Wwwroot())
				if want == other && (err == nil || faultOf(err) != peertest.NoFault) ||
					want == peertest.NoFault && err != nil || want >= 0 && faultOf(err) != want {
					t.Errorf("call %d ended with %v, want fault %d (-1 none, -2 an error of its own)", i+1, err, want)
				}
			}
			if c.second != peertest.NoFault {
				return
			}
			if callee.Held(caller.Wwwroot()) != caller.Certificate() || caller.Held(callee.Wwwroot()) != callee.Certificate() {
				t.Error("they called each other, and one holds an old certificate of the other")
			}
		})
	}
}

// other is the code for an error that is no fault.
const other = -2

// renewed makes the caller (0) or the callee (1) renew its key.
func renewed(which int) func(*testing.T, *peertest.Site, *peertest.Site) {
	return func(t *testing.T, caller, callee *peertest.Site) {
		must(t, []*peertest.Site{caller, callee}[which].Renew(true))
	}
}

// The fake gets what real Moodles sent: it must open, verify and answer that.
func TestItUnderstandsRealRequests(t *testing.T) {
	for _, c := range []struct {
		name, vector string
		options      peertest.Options
		fault        int
	}{
		{"from Moodle 3.11", "01_list_services", peertest.Options{Kind: peertest.Stock}, peertest.NoFault},
		{"from Moodle 3.11 under a retired key", "04_fault_7025_new_key", peertest.Options{Kind: peertest.Stock}, 7025},
		{"from Moodle 3.11 under a forgotten key", "05_fault_7023_plain", peertest.Options{Kind: peertest.Stock}, 7023},
		{"from Moodle 5.0", "10_moodle50_caller", peertest.Options{Kind: peertest.Stock}, peertest.NoFault},
		{"to Moodle 4.1", "12_moodle41_callee", peertest.Options{Kind: peertest.Stock, Modern: true}, peertest.NoFault},
		{"to Mahara", "17_mahara_callee", peertest.Options{Kind: peertest.Mahara}, peertest.NoFault},
		{"to Mahara under a retired key", "19_mahara_fault_7025_signed_by_new_key", peertest.Options{Kind: peertest.Mahara}, 7025},
		{"to Mahara under a key it never had", "20_mahara_fault_7025_no_certificate", peertest.Options{Kind: peertest.Mahara}, 7025},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := readVector(t, c.vector)
			history := make([]*envelope.KeyPair, 0, len(v.Callee.History))
			for _, entry := range v.Callee.History {
				var h keyPair
				if json.Unmarshal(entry, &h) != nil {
					continue // Mahara's history can end with an empty array
				}
				history = append(history, pair(t, h.Certificate, h.Key))
			}
			o := c.options
			o.Wwwroot = v.To
			o.Store = peertest.NewMemory(pair(t, v.Callee.Certificate, v.Callee.Key), history...)
			site := peertest.Run(t, o)
			must(t, site.Know(v.From, v.Caller.Certificate))
			post(t, site, v.Request)
			requests := site.Requests()
			if len(requests) != 1 {
				t.Fatalf("%d requests were answered, want 1", len(requests))
			}
			got := requests[0]
			if !got.Sealed || got.From != v.From || got.Fault != c.fault || got.Verified != (c.fault == peertest.NoFault) {
				t.Errorf("request was read as %+v, want fault %d from %s", got, c.fault, v.From)
			}
		})
	}
}

// capture returns the body of a captured request.
func capture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "captures", name+".http"))
	must(t, err)
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	return body
}

func TestItAnswersRealKeyswaps(t *testing.T) {
	const t1, stock = "http://t1.bed.test:8080", "http://stock.bed.test:8081"
	for _, c := range []struct {
		name, capture, from string
		kind                peertest.Kind
		known               bool
		answer              string // part of it
		stored              bool
	}{
		{"forced, by a patched Moodle that knows the caller", "keyswap_forced_request", t1, peertest.Patched, true, "BEGIN CERTIFICATE", true},
		{"forced, by a patched Moodle that does not", "keyswap_forced_request", t1, peertest.Patched, false, "<boolean>0</boolean>", false},
		{"forced, by a stock Moodle", "keyswap_forced_request", t1, peertest.Stock, true, "BEGIN CERTIFICATE", false},
		{"forced, by Mahara", "keyswap_forced_request", t1, peertest.Mahara, true, "BEGIN CERTIFICATE", false},
		{"plain, by a patched Moodle", "keyswap_three_params_request", stock, peertest.Patched, true, "BEGIN CERTIFICATE", false},
		{"not XML", "20_malformed_xml", "", peertest.Stock, true, "7021", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := peertest.Run(t, peertest.Options{Kind: c.kind})
			if c.known {
				must(t, site.Know(c.from, "old"))
			}
			answer := post(t, site, capture(t, c.capture))
			if !strings.Contains(answer, c.answer) {
				t.Errorf("answered %s, want %q in it", answer, c.answer)
			}
			if stored := strings.HasPrefix(site.Held(c.from), "-----BEGIN"); stored != c.stored {
				t.Errorf("stored: %v, want %v", stored, c.stored)
			}
		})
	}
}

func TestAHostIsRegisteredWhereAllHostsAre(t *testing.T) {
	const t1 = "http://t1.bed.test:8080" // of the capture
	for _, c := range []struct {
		name  string
		known bool
		want  string // how the certificate that it has then begins
	}{
		{"one that is not known is registered", false, "-----BEGIN"},
		{"one that is known keeps its row", true, "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := peertest.Run(t, peertest.Options{Kind: peertest.Stock, RegisterAll: true})
			if c.known {
				must(t, site.Know(t1, "old"))
			}
			post(t, site, capture(t, "keyswap_forced_request"))
			if held := site.Held(t1); !strings.HasPrefix(held, c.want) {
				t.Errorf("it holds %q, want %q", held, c.want)
			}
		})
	}
}

// published is a store whose cache is stale: its row is newer than the pair that it uses.
type published struct {
	*peertest.Memory
	certificate string
}

func (p published) Published(context.Context) (string, error) { return p.certificate, nil }

func TestAStaleCacheShowsOneCertificateAndUsesAnother(t *testing.T) {
	const wwwroot = "http://stale.example"
	used, shown := peertest.NewKeyPair(wwwroot, 1024), peertest.NewKeyPair(wwwroot, 1024)
	site := peertest.Run(t, peertest.Options{Wwwroot: wwwroot, Store: published{peertest.NewMemory(used), shown.Certificate.PEM}})
	answer := post(t, site, capture(t, "keyswap_three_params_request"))
	if !strings.Contains(html.UnescapeString(answer), strings.TrimSpace(shown.Certificate.PEM)) {
		t.Error("keyswap does not answer the certificate of the row")
	}
	response, err := http.Get("http://" + site.Addr() + "/mnet/publickey.php")
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	must(t, err)
	if string(page) != used.Certificate.PEM {
		t.Error("publickey.php does not show the certificate in use")
	}
}

func TestAPassingFaultPasses(t *testing.T) {
	site := peertest.Run(t, peertest.Options{})
	site.MisbehaveTimes(2, peertest.Status(500))
	for i, want := range []int{500, 500, 200} {
		response, err := http.Get(site.Wwwroot())
		must(t, err)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("answer %d is %s, want %d", i+1, response.Status, want)
		}
	}
}

func TestClosingASiteEndsWhatHangs(t *testing.T) {
	site, err := peertest.Start(peertest.Options{})
	must(t, err)
	site.Misbehave(peertest.Hang)
	ended := make(chan error, 1)
	go func() {
		response, err := http.Get(site.Wwwroot())
		if err == nil {
			_ = response.Body.Close()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("a site that hangs answered (%v)", err)
	case <-time.After(50 * time.Millisecond):
	}
	site.Close()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("a request still hangs after Close")
	}
}

// vector is the part of a file of testdata/vectors that is needed here.
type vector struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Request string `json:"request_sealed"`
	Caller  keyPair
	Callee  struct {
		keyPair
		History []json.RawMessage `json:"history"`
	}
}

type keyPair struct {
	Certificate string `json:"certificate"`
	Key         string `json:"keypair_PEM"`
}

func readVector(t *testing.T, name string) vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "vectors", name+".json"))
	must(t, err)
	var v vector
	must(t, json.Unmarshal(text, &v))
	return v
}

func pair(t *testing.T, certificate, key string) *envelope.KeyPair {
	t.Helper()
	p, err := envelope.ParseKeyPair(certificate, key)
	must(t, err)
	return p
}

// post sends a body to the site's XML-RPC server and returns the answer.
func post(t *testing.T, site *peertest.Site, body string) string {
	t.Helper()
	response, err := http.Post("http://"+site.Addr()+site.ServerURL(), "text/xml", strings.NewReader(body))
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	return string(answer)
}
