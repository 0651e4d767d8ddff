package peers_test

import (
	"context"
	"fmt"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// A site has a new key. A stock Moodle answers the keyswap and stores nothing. Only the sealed
// call, for which it fetches the certificate itself, proves that it has the new one.
func Example() {
	site, err := peertest.Start(peertest.Options{})
	if err != nil {
		panic(err)
	}
	defer site.Close()
	peer, err := peertest.Start(peertest.Options{Kind: peertest.Stock})
	if err != nil {
		panic(err)
	}
	defer peer.Close()
	for _, err := range []error{
		site.Know(peer.Wwwroot(), peer.Certificate()),
		peer.Know(site.Wwwroot(), site.Certificate()),
		site.Renew(true),
	} {
		if err != nil {
			panic(err)
		}
	}

	client := peers.New(peers.Options{})
	defer client.Close()
	current, retired, err := site.Pairs()
	if err != nil {
		panic(err)
	}
	own := rotate.Identity{Wwwroot: site.Wwwroot(), Key: current, Retired: func() []*envelope.KeyPair { return retired }}
	row := rotate.Peer{Wwwroot: peer.Wwwroot(), Application: peer.Application(), ServerURL: peer.ServerURL(), Certificate: peer.Certificate()}
	hasNew := func() bool { return peer.Held(site.Wwwroot()) == site.Certificate() }

	push := client.Push(context.Background(), own, row)
	fmt.Println("keyswap answered:", push.Failure == nil, "- the peer has the new certificate:", hasNew())
	proof := client.Prove(context.Background(), own, row, push.PeerCertificate, true)
	fmt.Println("proven:", proof.Failure == nil, "- the peer has the new certificate:", hasNew())
	// Output:
	// keyswap answered: true - the peer has the new certificate: false
	// proven: true - the peer has the new certificate: true
}
