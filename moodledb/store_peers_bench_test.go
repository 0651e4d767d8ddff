package moodledb

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// manyPeers gives the site n more peers, from id 100 on, each with a certificate of the usual size.
func (s *site) manyPeers(t testing.TB, n int) {
	t.Helper()
	s.Exec(t, fmt.Sprintf("INSERT INTO {mnet_host} (id, wwwroot, name, public_key, public_key_expires) "+
		"SELECT 99 + seq, CONCAT('https://tenant', seq, '.example'), seq, CONCAT('held ', seq, REPEAT(' certificate', 110)), 1800000000 FROM seq_1_to_%d", n))
}

// keysOfAll are new certificates for manyPeers.
func keysOfAll(n int, text string) []PeerKey {
	keys := make([]PeerKey, n)
	for i := range keys {
		keys[i] = PeerKey{Wwwroot: fmt.Sprintf("https://tenant%d.example", i+1), Expires: 1900000000,
			Certificate: fmt.Sprintf("%s %d%s", text, i+1, strings.Repeat("\ncertificate", 110))}
	}
	return keys
}

// BenchmarkStorePeerKeys has a tenant with 400 peers, all of whom have a new key.
func BenchmarkStorePeerKeys(b *testing.B) {
	const peers = 400
	s := newSite(b, "mdl_")
	s.manyPeers(b, peers)
	tenant := s.open(b)
	for i := range 2 {
		_, _ = tenant.StorePeerKeys(b.Context(), keysOfAll(peers, fmt.Sprint("warm", i)), alwaysNewer)
	}
	for i := 0; b.Loop(); i++ {
		kept, err := tenant.StorePeerKeys(b.Context(), keysOfAll(peers, fmt.Sprint("new", i)), neverNewer)
		if err != nil || kept[peers-1] != KeyStored {
			b.Fatal(kept, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/tenant")
}

func alwaysNewer(string, string) bool { return true }

func neverNewer(string, string) bool { return false }

// BenchmarkPeerList compares the list of 400 peers with reading them whole.
func BenchmarkPeerList(b *testing.B) {
	s := newSite(b, "mdl_")
	s.manyPeers(b, 400)
	tenant := s.open(b)
	for name, read := range map[string]func(context.Context) error{
		"list":  func(ctx context.Context) error { _, err := tenant.PeerList(ctx); return err },
		"own":   func(ctx context.Context) error { _, err := tenant.ReadOwn(ctx); return err },
		"whole": func(ctx context.Context) error { _, err := tenant.Read(ctx); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
