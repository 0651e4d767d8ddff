package test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/internal/testbed"
)

// BenchmarkArray renews whole arrays, full mesh, in one MariaDB, and compares the time with a floor
// that is measured in the same run: the keys, the rows in bare SQL, and the sealed calls, each on
// all cores with nothing else at work:
//
//	go test -run '^$' -bench BenchmarkArray -benchtime 1x -timeout 40m ./test
//
// The command is a process of its own, built as for use. The web servers are fakes in this process;
// they and MariaDB share the machine with the command.
func BenchmarkArray(b *testing.B) {
	sizes := []int{50, 100, 200, 400, 1000}
	if testing.Short() {
		sizes = sizes[:2]
	}
	binary := built(b)                             // without the race detector
	key, err := rsa.GenerateKey(rand.Reader, 2048) // of all first pairs
	if err != nil {
		b.Fatal(err)
	}
	roomyDatabase(b)
	total := map[int]time.Duration{}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			f, one := newFleet(b, fleetOptions{tenants: n, key: key}), oneKey(b)
			var cost arrayCost
			for b.Loop() {
				cost = f.measure(b, binary)
			}
			b.Log("\n" + strings.TrimSpace(cost.says))
			total[n] = cost.took
			bound := time.Duration(1.5*float64(n)*float64(one)/float64(runtime.NumCPU())) + 10*time.Second
			b.ReportMetric(0, "ns/op") // it has the checks in it
			b.ReportMetric(cost.took.Seconds(), "s")
			b.ReportMetric(one.Seconds()*1000, "ms/key")
			b.ReportMetric(float64(cost.keys), "keys")
			b.ReportMetric(float64(cost.statements), "statements")
			b.ReportMetric(float64(cost.calls), "calls")
			b.ReportMetric(cost.took.Seconds()/bound.Seconds(), "of-bound") // 1.5 × (keys × one key / cores) + 10 s
			keys, calls, rows := keysAlone(b, n), f.callsAlone(b, cost.calls), f.rowsAlone(b)
			b.ReportMetric(keys.Seconds(), "s-keys-alone")
			b.ReportMetric(calls.Seconds(), "s-calls-alone")
			b.ReportMetric(rows.Seconds(), "s-rows-alone")
			b.ReportMetric(cost.took.Seconds()/(keys+rows).Seconds(), "of-keys-and-rows")
			b.ReportMetric(cost.took.Seconds()/(keys+rows+calls).Seconds(), "of-all-three")
			b.ReportMetric(float64(cost.memory)/1024, "MiB-peak")
			b.ReportMetric(float64(cost.files), "files-peak")
			if n == sizes[0] {
				b.StopTimer()
				byKeyswap := f.measure(b, binary, "--push=keyswap")
				b.ReportMetric(byKeyswap.took.Seconds()/cost.took.Seconds(), "keyswap:auto")
				b.ReportMetric(float64(byKeyswap.calls), "keyswap-calls")
			}
			if half := total[n/2]; half > 0 {
				b.ReportMetric(cost.took.Seconds()/half.Seconds(), "this:half")
			}
		})
	}
}

// roomyDatabase gives MariaDB what an array of hundreds needs: memory for all its rows of hosts,
// and a redo log that does not make it write every page at once. The test server's own settings are
// for a fast start.
func roomyDatabase(b *testing.B) {
	b.Helper()
	db := testbed.MariaDB(b).Database(b, "mdl_")
	for name, size := range map[string]int{"innodb_buffer_pool_size": 1 << 30, "innodb_log_file_size": 1 << 29} {
		before := db.Value(b, "SELECT @@"+name)
		db.Exec(b, fmt.Sprintf("SET GLOBAL %s = %d", name, size))
		b.Cleanup(func() { db.Exec(b, "SET GLOBAL "+name+" = "+before) })
	}
}

// oneKey is how long this machine needs for a key, on one core.
func oneKey(b *testing.B) time.Duration {
	b.Helper()
	const keys = 50 // finding primes depends on luck, which evens out
	started := time.Now()
	for range keys {
		if _, err := rsa.GenerateKey(rand.Reader, 2048); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(started) / keys
}

// together works on n things, as many at once as the processor has cores, and says how long it
// took.
func together(b *testing.B, n int, work func(int) error) time.Duration {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	started := time.Now()
	for i := range n {
		group.Go(func() error { return work(i) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

// keysAlone is how long n keys need.
func keysAlone(b *testing.B, n int) time.Duration {
	b.Helper()
	return together(b, n, func(int) error {
		_, err := rsa.GenerateKey(rand.Reader, 2048)
		return err
	})
}

// callsAlone is how long as many sealed calls need as a renewal makes, both sides: each site calls
// itself.
func (f *fleet) callsAlone(b *testing.B, n int) time.Duration {
	b.Helper()
	return together(b, n, func(i int) error {
		tenant := f.tenants[i%len(f.tenants)]
		return tenant.web.Call(b.Context(), tenant.Wwwroot)
	})
}

// rowsAlone is how long MariaDB needs to change all rows that a renewal changes, in bare SQL: in
// each tenant's database one transaction, with one statement for all its rows of hosts and one for
// its pair and history. It leaves the fleet unusable: each row gets the certificate of the next one.
func (f *fleet) rowsAlone(b *testing.B) time.Duration {
	b.Helper()
	statements := make([]string, len(f.tenants))
	for i, tenant := range f.tenants {
		statements[i] = tenant.bareUpdate(b)
	}
	return together(b, len(statements), func(i int) error {
		_, err := f.tenants[i].DB.DB.ExecContext(b.Context(), statements[i])
		return err
	})
}

// bareUpdate is the script that rowsAlone runs in one tenant's database.
func (s *fleetTenant) bareUpdate(b *testing.B) string {
	b.Helper()
	rows, err := s.DB.DB.QueryContext(b.Context(), s.DB.SQL("SELECT id, public_key, public_key_expires FROM {mnet_host} WHERE wwwroot <> ''"))
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var values []string
	before := ""
	for rows.Next() {
		var id, expires int64
		var certificate string
		if err := rows.Scan(&id, &certificate, &expires); err != nil {
			b.Fatal(err)
		}
		if before != "" {
			values = append(values, fmt.Sprintf("(%d, '', '', '', '%s', %d, 1, 2)", id, before, expires))
		}
		before = certificate
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	const settings = "UPDATE {config_plugins} SET value = CONCAT(value, ' ') WHERE plugin = 'mnet' AND name IN ('openssl', 'openssl_history');"
	return s.DB.SQL("START TRANSACTION; INSERT INTO {mnet_host} (id, wwwroot, ip_address, name, public_key, public_key_expires, applicationid, sslverification) VALUES " +
		strings.Join(values, ", ") + " ON DUPLICATE KEY UPDATE public_key = VALUES(public_key), public_key_expires = VALUES(public_key_expires); " + settings + " COMMIT")
}

// arrayCost is what a renewal of an array needed.
type arrayCost struct {
	took          time.Duration
	keys          int
	statements    int64 // SQL, of the command alone
	calls         int   // HTTP
	memory, files int64 // peaks: resident KiB, open descriptors
	says          string
}

// measure renews the whole fleet, and checks that it is renewed.
func (f *fleet) measure(b *testing.B, binary string, args ...string) arrayCost {
	b.Helper()
	statements, calls, pair := f.statements(b), f.calls(), pairOf(b, f.tenants[0].Site)
	cmd := exec.Command(binary, append([]string{"--config=" + f.config, "--all", "--withmaster", "--fresh=0s"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+b.TempDir())
	started := time.Now()
	end := begin(b, cmd)
	peaks := watch(cmd.Process.Pid)
	r := end()
	cost := arrayCost{took: time.Since(started), statements: f.statements(b) - statements, calls: f.calls() - calls}
	cost.memory, cost.files = peaks()
	r.expect(b, 0, fmt.Sprintf("%d tenants: %d renewed; %d of %d links proven", len(f.tenants), len(f.tenants), f.links(), f.links()))
	if pairOf(b, f.tenants[0].Site) == pair || len(f.wrongLinks(b)) > 0 {
		b.Error("the fleet is not renewed")
	}
	cost.keys, cost.says = len(f.tenants), r.stdout
	return cost
}

func (f *fleet) links() int { return len(f.tenants) * (len(f.tenants) - 1 + len(f.outsiders)) }

// statements counts the statements that MariaDB has run, without those of the web servers.
func (f *fleet) statements(b *testing.B) int64 {
	b.Helper()
	var name string
	var all int64
	if err := f.master.DB.DB.QueryRowContext(b.Context(), "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &all); err != nil {
		b.Fatal(err)
	}
	for _, s := range f.tenants {
		all -= s.side.statements.Load()
	}
	return all
}

// calls counts the HTTP requests that were answered.
func (f *fleet) calls() (n int) {
	for _, site := range f.sitesOnTheWeb() {
		n += len(site.Requests())
	}
	return n
}

// watch reads a process's peaks until it ends. The rusage of a child is not usable: Linux counts
// into it the memory of its parent, with hundreds of sites, before exec.
func watch(pid int) (peaks func() (kib, files int64)) {
	type pair struct{ kib, files int64 }
	done := make(chan pair, 1)
	go func() {
		var peak pair
		proc := fmt.Sprintf("/proc/%d/", pid)
		for {
			status, err := os.ReadFile(proc + "status")
			_, rest, alive := strings.Cut(string(status), "VmHWM:")
			if err != nil || !alive { // a process that has ended has no memory
				done <- peak
				return
			}
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			files, _ := os.ReadDir(proc + "fd")
			peak = pair{max(peak.kib, kib), max(peak.files, int64(len(files)))}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() (int64, int64) { p := <-done; return p.kib, p.files }
}
