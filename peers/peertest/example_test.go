package peertest_test

import (
	"fmt"
	"net/http"

	"renew_mnetkeys/peers/peertest"
)

// Every second connection to a peer goes wrong, in the same way whenever the seed is the same.
func Example() {
	site, err := peertest.Start(peertest.Options{
		Kind: peertest.Stock, Chance: 0.5, Seed: 1, Faults: []peertest.Fault{peertest.Status(503), peertest.Truncate},
	})
	if err != nil {
		panic(err)
	}
	defer site.Close()
	caller := peertest.NewKeyPair("http://caller.example", 1024).Certificate.PEM
	if err := site.Know("http://caller.example", caller); err != nil {
		panic(err)
	}
	for range 6 {
		next := site.State().Next
		response, err := http.Get(site.Wwwroot() + "/mnet/publickey.php")
		if err != nil {
			fmt.Printf("%q: no answer\n", next)
			continue
		}
		_ = response.Body.Close()
		fmt.Printf("%q: %s\n", next, response.Status)
	}
	truth := site.Truth("http://caller.example", caller)
	fmt.Println("holds the certificate:", truth.Holds, "and has shown it:", truth.Verdict == peertest.Proven)
	// Output:
	// "status 503": 503 Service Unavailable
	// "status 503": 503 Service Unavailable
	// "": 200 OK
	// "status 503": 503 Service Unavailable
	// "": 200 OK
	// "status 503": 503 Service Unavailable
	// holds the certificate: true and has shown it: false
}
