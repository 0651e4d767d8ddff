package peers_test

import (
	"testing"

	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

func TestWhetherAPeerTakesAForcedKey(t *testing.T) {
	for _, c := range []struct {
		name   string
		peer   peertest.Options
		faults []peertest.Fault
		mode   rotate.Forced
		reason string
		asked  int
	}{
		{name: "a patched Moodle does", mode: rotate.ForcedTaken, asked: 1},
		{name: "a patched Moodle 4.1 does", peer: peertest.Options{Modern: true}, mode: rotate.ForcedTaken, asked: 1},
		{name: "a Moodle as released ignores it", peer: stock(), mode: rotate.ForcedIgnored, asked: 1},
		{name: "a Moodle 4.1 as released ignores it", peer: modern(), mode: rotate.ForcedIgnored, asked: 1},
		{name: "a Moodle that registers all hosts keeps the one row of us", peer: peertest.Options{Kind: peertest.Stock, RegisterAll: true},
			mode: rotate.ForcedIgnored, asked: 1},
		{name: "PHP notices tell nothing", faults: []peertest.Fault{peertest.Notices}, reason: "stray_output", asked: 1},
		{name: "a Mahara is not asked", peer: mahara(), mode: rotate.ForcedUnknown},
		{name: "a fault tells nothing", faults: []peertest.Fault{peertest.Answers(0)}, reason: "fault_0", asked: 1},
		{name: "another site's certificate tells nothing", peer: stock(), faults: []peertest.Fault{peertest.OtherCertificate},
			reason: "bad_certificate", asked: 1},
		{name: "an empty answer tells nothing", faults: []peertest.Fault{peertest.Empty}, reason: "not_xmlrpc", asked: 1},
		{name: "a peer that is gone tells nothing", faults: []peertest.Fault{peertest.Drop}, reason: "connect", asked: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, c.peer)
			introduce(t, own, peer)
			held := peer.Held(own.Wwwroot())
			peer.Misbehave(c.faults...)

			cl := client(t, quick(func(o *peers.Options) { o.Retries = -1 }))
			mode, failure := cl.TakesForce(t.Context(), identity(t, own), row(peer))

			if mode != c.mode || reason(failure) != c.reason {
				t.Errorf("got %v and failure %v, want %v and %q", mode, failure, c.mode, c.reason)
			}
			if got := len(peer.Requests()); got != c.asked {
				t.Errorf("it was asked %d times, want %d", got, c.asked)
			}
			if peer.Held(own.Wwwroot()) != held || peer.Held(own.Wwwroot()+"/") != "" {
				t.Error("the question changed what the peer holds of us")
			}
		})
	}
}

// Whatever certificate a peer has, the question gives it no key: only the row with exactly our
// name, without the slash, could accept one.
func TestAskingForTheForceTellsAPatchedPeerNoKey(t *testing.T) {
	own, peer := peertest.Run(t, peertest.Options{}), peertest.Run(t, peertest.Options{})
	introduce(t, own, peer)
	held := peer.Held(own.Wwwroot())
	renew(t, own, true)
	if mode, failure := client(t, quick()).TakesForce(t.Context(), identity(t, own), row(peer)); mode != rotate.ForcedTaken || failure != nil {
		t.Fatalf("got %v, %v", mode, failure)
	}
	if peer.Held(own.Wwwroot()) != held {
		t.Error("the peer took the new key")
	}
}
