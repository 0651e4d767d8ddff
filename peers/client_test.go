package peers_test

import (
	"context"
	"testing"
	"time"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// introduce gives each of two sites the current certificate of the other.
func introduce(t testing.TB, a, b *peertest.Site) {
	t.Helper()
	know(t, a, b)
	know(t, b, a)
}

// know gives one site the current certificate of another.
func know(t testing.TB, a, b *peertest.Site) {
	t.Helper()
	tell := a.Know
	if b.Application() == "mahara" {
		tell = a.KnowMahara
	}
	if err := tell(b.Wwwroot(), b.Certificate()); err != nil {
		t.Fatal(err)
	}
}

// renew gives a site a new key; the old one is archived or forgotten.
func renew(t testing.TB, s *peertest.Site, archive bool) {
	t.Helper()
	if err := s.Renew(archive); err != nil {
		t.Fatal(err)
	}
}

// identity is a site's identity according to its tables now.
func identity(t testing.TB, s *peertest.Site) rotate.Identity {
	t.Helper()
	current, history, err := s.Pairs()
	if err != nil {
		t.Fatal(err)
	}
	return rotate.Identity{Wwwroot: s.Wwwroot(), Key: current, Retired: func() []*envelope.KeyPair { return history }}
}

// row is a site's row in the tables of a site that has its current certificate.
func row(s *peertest.Site) rotate.Peer {
	return rotate.Peer{
		Wwwroot:     s.Wwwroot(),
		Application: s.Application(),
		ServerURL:   s.ServerURL(),
		Certificate: s.Certificate(),
	}
}

// quick waits for nothing between tries, and not long for an answer.
func quick(change ...func(*peers.Options)) peers.Options {
	o := peers.Options{Timeout: 5 * time.Second, Sleep: func(context.Context, time.Duration) error { return nil }}
	for _, c := range change {
		c(&o)
	}
	return o
}

// client makes a client that a test closes at its end.
func client(t testing.TB, o peers.Options) *peers.Client {
	t.Helper()
	c := peers.New(o)
	t.Cleanup(c.Close)
	return c
}

// reason is the reason of a failure, "" if there is no failure.
func reason(f *rotate.Failure) string {
	if f == nil {
		return ""
	}
	return string(f.Reason)
}
