package peertest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// ordered sends a management call and reads the state from the answer.
func ordered(t *testing.T, method, url, body string) (status int, state peertest.State) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		must(t, json.NewDecoder(response.Body).Decode(&state))
	}
	return response.StatusCode, state
}

func TestASiteIsManagedOverHTTP(t *testing.T) {
	const host = "http://caller.example"
	site := peertest.Run(t, peertest.Options{Kind: peertest.Array})
	management := httptest.NewServer(site.Management())
	t.Cleanup(management.Close)
	if _, state := ordered(t, "GET", management.URL+"/state", ""); state.Kind != "array" || state.Wwwroot != site.Wwwroot() ||
		state.Certificate != site.Certificate() || len(state.Holds) != 0 || state.Exchanges != 0 {
		t.Errorf("a new site is %+v", state)
	}
	certificate := peertest.NewKeyPair(host, 1024).Certificate.PEM
	text, err := json.Marshal(map[string]string{host: certificate})
	must(t, err)
	if _, state := ordered(t, "PUT", management.URL+"/hosts", string(text)); state.Holds[host] != certificate || site.Held(host) != certificate {
		t.Errorf("told of a host, it holds %v", state.Holds)
	}
	if _, state := ordered(t, "PUT", management.URL+"/faults", `["status 418"]`); len(state.Faults) != 1 || state.Faults[0] != peertest.Status(418) {
		t.Errorf("told of a fault, it has %v", state.Faults)
	}
	response, err := http.Get(site.Wwwroot())
	must(t, err)
	_ = response.Body.Close()
	_, state := ordered(t, "GET", management.URL+"/state", "")
	if response.StatusCode != 418 || state.Did[peertest.Status(418)] != 1 || state.Exchanges != 1 || state.Last.Request.Status != 418 || !state.Last.Served {
		t.Errorf("it answered %d, and says %+v", response.StatusCode, state)
	}
	if status, _ := ordered(t, "PUT", management.URL+"/faults", `{`); status != http.StatusBadRequest {
		t.Errorf("an order that cannot be read was answered with %d", status)
	}
}

// A tenant of an array answers to one name only, whatever else arrives at its address.
func TestATenantOfAnArrayHasOneName(t *testing.T) {
	site := peertest.Run(t, peertest.Options{Kind: peertest.Array})
	for _, host := range []string{site.Addr(), "other.example"} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", site.Wwwroot()+"/mnet/publickey.php", nil)
		must(t, err)
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		must(t, err)
		if known := strings.Contains(string(body), "BEGIN CERTIFICATE"); known != (host == site.Addr()) {
			t.Errorf("asked as %s it answered %.200s", host, body)
		}
	}
}
