package moodledb

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

// manyPeers gives the site n more peers, from id 100 on, each with a certificate of the usual size.
func (s *site) manyPeers(t testing.TB, n int) {
	t.Helper()
	s.Exec(t, fmt.Sprintf("INSERT INTO {mnet_host} (id, wwwroot, name, public_key, public_key_expires) "+
		"SELECT 99 + seq, CONCAT('https://tenant', seq, '.example'), seq, CONCAT('held ', seq, REPEAT(' certificate', 110)), 1800000000 FROM "+numbers, n))
}

// keysOfAll are the certificates of the peers of manyPeers after the given renewal.
func keysOfAll(n, renewal int) []rotate.HostKey {
	keys := make([]rotate.HostKey, n)
	for i := range keys {
		keys[i] = rotate.HostKey{Wwwroot: fmt.Sprintf("https://tenant%d.example", i+1),
			Certificate: expiring(1900000000+int64(renewal), "new %d %d%s", renewal, i+1, strings.Repeat("\ncertificate", 110))}
	}
	return keys
}

// BenchmarkStorePeerKeys has a tenant with 400 peers, all of whom have a new key. The best time is
// that of a machine with nothing else to do.
func BenchmarkStorePeerKeys(b *testing.B) {
	const peers = 400
	s := newSite(b, "mdl_")
	s.manyPeers(b, peers)
	tenant := s.open(b)
	best := time.Hour
	for i := 0; b.Loop(); i++ {
		keys := keysOfAll(peers, i)
		start := time.Now()
		kept, err := tenant.StorePeerKeys(b.Context(), keys)
		if err != nil || kept[peers-1] != rotate.KeyStored {
			b.Fatal(kept, err)
		}
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/tenant")
	b.ReportMetric(float64(best.Microseconds())/1000, "ms/best")
}

// BenchmarkPeerList compares the list of 400 peers with reading them whole.
func BenchmarkPeerList(b *testing.B) {
	s := newSite(b, "mdl_")
	s.manyPeers(b, 400)
	tenant, own := s.open(b), s.open(b)
	own.WithoutPeers()
	for name, read := range map[string]func(context.Context) error{
		"list":  func(ctx context.Context) error { _, err := tenant.PeerList(ctx); return err },
		"own":   func(ctx context.Context) error { _, err := own.Read(ctx); return err },
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
