package peertest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// A site has three web servers. Two are behind one address, where a load balancer gives them
// connections in turn, and the second of these has a stale cache. The third has an address of its
// own and is down.
func Example_nodes() {
	site, err := peertest.Start(peertest.Options{Kind: peertest.Stock, Nodes: []string{"", "127.0.0.2"}})
	if err != nil {
		panic(err)
	}
	defer site.Close()
	former, _, _ := site.Pairs()
	if err := site.Renew(true); err != nil {
		panic(err)
	}
	site.NodeCaches(1, former)
	site.NodeMisbehaves(2, peertest.Status(503))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, i := range []int{0, 0, 0, 2} {
		response, err := client.Get("http://" + site.NodeAddrs()[i] + "/mnet/publickey.php")
		if err != nil {
			panic(err)
		}
		shown, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Println(response.StatusCode, "current:", string(shown) == site.Certificate(), "former:", string(shown) == former.Certificate.PEM)
	}
	// Output:
	// 200 current: true former: false
	// 200 current: false former: true
	// 200 current: true former: false
	// 503 current: false former: false
}

// The other web servers can open what a web server with a stale cache cannot. All of them answer a
// keyswap from the database.
func TestANodeWithAStaleCacheAnswersAsOne(t *testing.T) {
	caller := peertest.Run(t, peertest.Options{})
	site := peertest.Run(t, peertest.Options{Kind: peertest.Stock, Nodes: []string{""}})
	former, _, err := site.Pairs()
	must(t, err)
	must(t, site.Know(caller.Wwwroot(), caller.Certificate()))
	must(t, site.Renew(true))
	must(t, caller.Know(site.Wwwroot(), site.Certificate()))
	site.NodeCaches(1, former)
	var faults []string
	for range 4 {
		faults = append(faults, fmt.Sprint(caller.Call(t.Context(), site.Wwwroot())))
	}
	if got := strings.Join(faults, " "); strings.Count(got, "fault 7023") != 2 || strings.Count(got, "<nil>") != 2 {
		t.Errorf("answered %v", faults)
	}
	for i, r := range site.Requests() {
		if r.Node != i%2 || r.SealedTo != site.Certificate() {
			t.Errorf("request %d: %+v", i, r)
		}
	}
	site.NodeCaches(1, nil)
	site.NodeMisbehaves(1, peertest.NoRC4)
	faults = nil
	for range 4 {
		faults = append(faults, fmt.Sprint(caller.Call(t.Context(), site.Wwwroot())))
	}
	if got := strings.Join(faults, " "); strings.Count(got, "fault 7023") != 2 {
		t.Errorf("a node that cannot do RC4: %v", faults)
	}
}

func TestNodesWithAddressesOfTheirOwn(t *testing.T) {
	site := peertest.Run(t, peertest.Options{Nodes: []string{"127.0.0.2", "127.0.0.3"}, Authority: peertest.NewAuthority()})
	addrs := site.NodeAddrs()
	for i, addr := range addrs {
		if host := fmt.Sprintf("127.0.0.%d:", i+1); !strings.HasPrefix(addr, host) || addr[len(host):] != addrs[0][len(host):] {
			t.Errorf("node %d is at %s, the first at %s", i, addr, addrs[0])
		}
		met := site.State().Exchanges
		response, err := http.Get("https://" + addr) // no one here trusts its certificate
		if err == nil {
			_ = response.Body.Close()
		}
		if after := site.State().Exchanges; after != met+1 {
			t.Errorf("node %d was connected to %d times", i, after-met)
		}
	}
	if _, err := peertest.Start(peertest.Options{Address: site.Addr()}); err == nil {
		t.Error("a second site listens at the same address")
	}
}

// A caller behaves like Moodle: it accepts nothing from a site that writes around its XML, except
// white space and a byte order mark.
func TestACallerRefusesOutputAroundTheXML(t *testing.T) {
	caller, site := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	must(t, caller.Know(site.Wwwroot(), site.Certificate()))
	must(t, site.Know(caller.Wwwroot(), caller.Certificate()))
	for fault, fine := range map[peertest.Fault]bool{
		peertest.Notices: false, peertest.Warnings: false, peertest.Footer: false, peertest.Comment: false,
		peertest.OnSealed(peertest.Footer): false, peertest.InSeal(peertest.Notices): false, peertest.InSeal(peertest.Footer): false,
		peertest.Padded: true, peertest.OnPlain(peertest.Notices): true, peertest.InSeal(peertest.Padded): true,
	} {
		site.Misbehave(fault)
		if err := caller.Call(t.Context(), site.Wwwroot()); (err == nil) != fine {
			t.Errorf("%s: %v", fault, err)
		}
		if truth := site.Truth(caller.Wwwroot(), ""); (truth.Verdict == peertest.Proven) != fine {
			t.Errorf("%s: it says %+v", fault, truth)
		}
	}
}

func TestASealedFaultCanBeAskedFor(t *testing.T) {
	caller, site := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	must(t, caller.Know(site.Wwwroot(), site.Certificate()))
	must(t, site.Know(caller.Wwwroot(), caller.Certificate()))
	for code, verdict := range map[int]peertest.Verdict{17: peertest.Proven, 0: peertest.Proven, 704: peertest.Refused, 6012: peertest.Refused} {
		site.Misbehave(peertest.AnswersSealed(code))
		err := caller.Call(t.Context(), site.Wwwroot())
		if fault, ok := err.(*peertest.FaultError); !ok || !fault.Sealed || fault.Code != code {
			t.Errorf("%d: %v", code, err)
		}
		if truth := site.Truth(caller.Wwwroot(), ""); truth.Verdict != verdict {
			t.Errorf("%d: it says %+v", code, truth)
		}
	}
}
