package envelope_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers/peertest"
)

// One call from a site to a peer: signed by the site, sealed to the peer. Only the peer can open
// it, and only the site can have signed it.
func Example() {
	const wwwroot = "https://site.example"
	site := peertest.NewKeyPair(wwwroot, 2048)
	peer := peertest.NewKeyPair("https://peer.example", 2048)

	signed, err := envelope.Sign([]byte("<methodCall/>"), wwwroot, time.Unix(1700000000, 0), site.Private)
	if err != nil {
		panic(err)
	}
	sealed, err := envelope.Seal(signed, wwwroot, peer.Certificate.PublicKey, rand.Reader)
	if err != nil {
		panic(err)
	}

	// At the peer.
	opened, err := envelope.Open(sealed, peer.Private)
	if err != nil {
		panic(err)
	}
	call, err := envelope.ParseSigned(opened.Document)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s says %s at %s\n", call.Wwwroot, call.Payload, call.Stamped)
	fmt.Println("signed by the site:", call.Verify(site.Certificate.PublicKey) == nil)
	fmt.Println("signed by the peer:", call.Verify(peer.Certificate.PublicKey) == nil)

	_, err = envelope.Open(sealed, site.Private)
	fmt.Println("the site cannot open its own call:", errors.Is(err, envelope.ErrCannotOpen))
	// Output:
	// https://site.example says <methodCall/> at 2023-11-14 22:13:20 +0000 UTC
	// signed by the site: true
	// signed by the peer: false
	// the site cannot open its own call: true
}
