package peers_test

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
)

// OpenSSL accepts such keys, so Moodle talks to such a peer.
func TestAPeerWithAShortKeyIsProvenAndWarnedOfOnce(t *testing.T) {
	for bits, warned := range map[int]int{512: 1, 768: 1, 1023: 1, 1024: 0} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{Kind: peertest.Stock, Key: key})
		introduce(t, own, peer)
		renew(t, own, true)
		var log strings.Builder
		c := client(t, quick(func(o *peers.Options) { o.Log = zerolog.New(&log).Level(zerolog.WarnLevel) }))
		for range 2 {
			if got := c.Push(t.Context(), identity(t, own), row(peer)); got.Failure != nil {
				t.Errorf("%d bits: push: %v", bits, got.Failure)
			}
			if got := c.Prove(t.Context(), identity(t, own), row(peer), nil, false); got.Failure != nil {
				t.Errorf("%d bits: prove: %v", bits, got.Failure)
			}
		}
		if said := log.String(); strings.Count(said, "can be broken") != warned || strings.Contains(said, peer.Wwwroot()) != (warned > 0) {
			t.Errorf("%d bits: warned %q", bits, said)
		}
	}
}

// Our key has the length of Moodle's, but an older one may be short: it must still open what was
// sealed to it.
func TestAShortRetiredKeyOfOursStillReads(t *testing.T) {
	own := peertest.Run(t, peertest.Options{})
	short := peertest.NewKeyPair(own.Wwwroot(), 512)
	store := peertest.NewMemory(short)
	own = peertest.Run(t, peertest.Options{Store: store, Wwwroot: own.Wwwroot()})
	peer := peertest.Run(t, peertest.Options{Kind: peertest.Stock})
	introduce(t, own, peer)
	renew(t, own, true)
	peer.Misbehave(peertest.Deaf)
	got := client(t, quick()).Prove(t.Context(), identity(t, own), row(peer), nil, false)
	if reason(got.Failure) != "fault_710" || got.Certificate == nil {
		t.Errorf("failure is %v, certificate %v", got.Failure, got.Certificate)
	}
}
