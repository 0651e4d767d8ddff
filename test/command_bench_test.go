package test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
)

// BenchmarkFourPeers runs the built command, process start included, for a tenant on a real MariaDB
// with a real PHP web server and four live peers on loopback. ms/run is the whole process; key-ms
// is one key generation, which is part of it; MiB-resident is the peak memory of the process.
func BenchmarkFourPeers(b *testing.B) {
	binary := built(b) // as it is released: without the race detector
	own := testbed.PHPSite(b, testbed.Options{Socket: true})
	for i := range 4 {
		kind := peertest.Patched
		if i%2 == 1 {
			kind = peertest.Stock
		}
		site, err := peertest.Start(peertest.Options{Kind: kind})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(site.Close)
		addFake(b, own, site)
	}
	own.Warm(b)
	key := testbed.KeyGeneration(b)
	var resident int64
	started := time.Now()
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), binary, "--config="+own.ConfigFile)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		resident = max(resident, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.ReportMetric(float64(time.Since(started).Milliseconds())/float64(b.N), "ms/run")
	b.ReportMetric(float64(key.Milliseconds()), "key-ms")
	b.ReportMetric(float64(resident)/1024, "MiB-resident")
}
