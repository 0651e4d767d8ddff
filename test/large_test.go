package test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// crowd are the many peers of one tenant, some of which commit one fault each, always.
type crowd struct {
	own       *fleetTenant
	sites     []*peertest.Site
	committed map[string]peertest.Fault // by wwwroot
	authority string                    // file of the certificate that signs those for https
}

// perFault of a hundred peers commit each fault.
const perFault = 1

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	key, retired := testKey(t), testKey(t)
	ca := peertest.NewAuthority()
	c := &crowd{own: newFleet(t, fleetOptions{tenants: 1}).tenants[0], committed: map[string]peertest.Fault{}, authority: write(t, string(ca.PEM()))}
	former := c.own.web.Certificate()
	faults := append(peertest.SilentFaults(), peertest.ChanceFaults(true)...)
	for i := range n {
		o := peertest.Options{
			Kind: []peertest.Kind{peertest.Patched, peertest.Stock, peertest.Mahara, peertest.Array}[i%4], Modern: i%3 == 0,
			Address: fmt.Sprintf("127.9.%d.%d:0", i/200, 1+i%200), // otherwise the limit of one address would be measured
		}
		fault := peertest.Fault("")
		if of := i / max(1, n*perFault/100); of < len(faults) {
			fault = faults[of]
		}
		if i%2 == 1 || strings.HasPrefix(string(fault), "tls") {
			o.Authority = ca
		}
		late := &lateStore{}
		o.Store = late
		site, err := peertest.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(site.Close)
		late.Memory = peertest.NewMemory(peertest.Certify(key, site.Wwwroot()), peertest.Certify(retired, site.Wwwroot()))
		if err := site.Know(c.own.Wwwroot, former); err != nil {
			t.Fatal(err)
		}
		if fault != "" {
			site.Misbehave(fault)
			c.committed[site.Wwwroot()] = fault
		}
		c.sites = append(c.sites, site)
	}
	c.introduce(t)
	return c
}

// lateStore is filled as soon as the wwwroot is known.
type lateStore struct{ *peertest.Memory }

func testKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// introduce gives the tenant a row of each peer, a hundred per statement.
func (c *crowd) introduce(t *testing.T) {
	t.Helper()
	c.own.DB.Exec(t, `INSERT INTO {mnet_application} (id, name, display_name, xmlrpc_server_url) VALUES (2, 'mahara', 'Mahara', '/api/xmlrpc/server.php')`)
	for some := range slices.Chunk(c.sites, 100) {
		var rows []string
		var values []any
		for _, site := range some {
			application := 1
			if site.Application() == "mahara" {
				application = 2
			}
			rows = append(rows, "(?, '127.0.0.1', ?, ?, 0, ?, 2)")
			values = append(values, site.Wwwroot(), "Site "+site.Wwwroot(), site.Certificate(), application)
		}
		c.own.DB.Exec(t, `INSERT INTO {mnet_host} (wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification) VALUES `+
			strings.Join(rows, ", "), values...)
	}
}

// taken is what a run of the command used, measured from outside.
type taken struct {
	time        time.Duration
	resident    int64 // bytes, the peak
	descriptors int   // peak number of open descriptors
}

// renew runs the command and measures it.
func (c *crowd) renew(t *testing.T) (ran, taken) {
	t.Helper()
	cmd := command(t, "--config="+c.own.ConfigFile, "--json", "--timeout=5s", "--retries=1", "--ca-file="+c.authority, "--deadline=10m")
	started := time.Now()
	end := begin(t, cmd)
	var most int
	var watching sync.WaitGroup
	stop := make(chan struct{})
	watching.Go(func() {
		for {
			open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", cmd.Process.Pid))
			if err == nil {
				most = max(most, len(open))
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	r := end()
	close(stop)
	watching.Wait()
	took := taken{time: time.Since(started), resident: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, descriptors: most}
	return r, took
}

// verdict is a report's outcome as a verdict of peertest.
func verdict(o rotate.PeerOutcome) peertest.Verdict {
	if o.Proven() {
		return peertest.Proven
	}
	return peertest.Verdict(o)
}

// judge compares the report of every peer with what the peer itself knows, and counts by fault and
// outcome.
func (c *crowd) judge(t *testing.T, r ran) map[string]int {
	t.Helper()
	said := map[string]rotate.PeerReport{}
	for _, p := range r.document(t).Tenants[0].Peers {
		said[p.Wwwroot] = p
	}
	certificate, held, counted := c.own.web.Certificate(), c.own.hosts(t), map[string]int{}
	for _, site := range c.sites {
		p, truth := said[site.Wwwroot()], site.Truth(c.own.Wwwroot, certificate)
		counted[fmt.Sprintf("%-20s %s %s", c.committed[site.Wwwroot()], p.Outcome, p.Reason)]++
		switch {
		case verdict(p.Outcome) != truth.Verdict, truth.Reasons != nil && !p.Outcome.Proven() && !slices.Contains(truth.Reasons, string(p.Reason)),
			p.Outcome.Proven() && !truth.Holds:
			t.Errorf("%s, a %s that commits %q, is said to be %+v, and knows %+v", site.Wwwroot(), site.State().Kind, c.committed[site.Wwwroot()], p, truth)
		}
		current, history, err := site.Pairs()
		if err != nil {
			t.Fatal(err)
		}
		if row := held[site.Wwwroot()]; !strings.HasPrefix(row, current.Certificate.PEM) && !strings.HasPrefix(row, history[0].Certificate.PEM) {
			t.Errorf("%s, which commits %q: our row holds another certificate", site.Wwwroot(), c.committed[site.Wwwroot()])
		}
	}
	return counted
}

// Among many peers, one in a hundred commits each fault. The report of every peer is what it knows
// itself, and the run uses no more than the limits allow: memory, descriptors, and the time of the
// silent peers.
func TestOfManyPeersThatMisbehaveEachIsReportedAsWhatItIs(t *testing.T) {
	n, most := 60, taken{time: 2 * time.Minute, resident: 256 << 20, descriptors: 64}
	if testbed.Long() {
		n, most.time = 2000, 5*time.Minute
	}
	c := newCrowd(t, n)
	r, took := c.renew(t)
	r.expect(t, rotate.ExitPeers)
	if t.Failed() {
		t.FailNow()
	}
	counted := c.judge(t, r)
	t.Logf("%d peers, %d of them faulty: %s, %d MiB, %d descriptors", n, len(c.committed), took.time.Round(time.Millisecond), took.resident>>20, took.descriptors)
	for _, line := range slices.Sorted(maps.Keys(counted)) {
		t.Logf("%4d %s", counted[line], line)
	}
	if took.time > most.time || took.resident > most.resident || took.descriptors > most.descriptors {
		t.Errorf("it took %+v, more than %+v", took, most)
	}
	for _, site := range c.sites {
		site.Misbehave()
		site.Forget()
	}
	r, took = c.renew(t)
	r.expect(t, rotate.ExitOK)
	c.judge(t, r)
	t.Logf("once all are well: %s, %d MiB, %d descriptors", took.time.Round(time.Millisecond), took.resident>>20, took.descriptors)
}
