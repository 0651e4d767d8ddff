package muc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// tlsPair makes a self-signed certificate for an address, and returns the path of the file with
// which a client trusts it.
func tlsPair(t *testing.T, address string) (file string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(address)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestRedisClusterIsFollowedToTheServerThatHasTheHash(t *testing.T) {
	addrs := startCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = client.Close() })
	const hash = "lms:1b088c226629b3fa247ff7ef67dad266"
	for _, seeds := range [][]string{addrs, {addrs[1], addrs[0]}, {addrs[0]}, {addrs[1]}, {"127.0.0.1:1", addrs[1]}} {
		t.Run(strings.Join(seeds, " "), func(t *testing.T) {
			fill(t, client, hash)
			s := newSite(t)
			s.configure("cluster-5.0", "127.0.0.1:7001\r\n127.0.0.1:7002", strings.Join(seeds, "\r\n"))
			s.drop(rotate.ScopeEntry)
			if left := length(t, client, hash); left != 1 {
				t.Errorf("%d fields left", left)
			}
			s.drop(rotate.ScopeDefinition)
			if left := length(t, client, hash); left != 0 {
				t.Errorf("%d fields left of the definition", left)
			}
		})
	}
}

// startCluster runs two servers that share the slots, and returns their addresses when they agree.
func startCluster(t *testing.T) []string {
	t.Helper()
	daemon, err := exec.LookPath("redis-server")
	if err != nil {
		testbed.Missing(t, "redis-server is not installed")
	}
	var addrs []string
	for slots := range 2 {
		// Redis would read port 0 as no port. The cluster's own port is given too; otherwise it
		// would be 10000 higher than this one, which may be too high.
		port, bus := testbed.FreePort(t), testbed.FreePort(t)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		cmd := exec.CommandContext(t.Context(), daemon, "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--cluster-port", fmt.Sprint(bus), "--dir", t.TempDir(),
			"--cluster-enabled", "yes", "--save", "", "--appendonly", "no")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		await(t, func() error { return client.Ping(t.Context()).Err() })
		if err := client.ClusterAddSlotsRange(t.Context(), slots*8192, slots*8192+8191).Err(); err != nil {
			t.Fatal(err)
		}
		if slots > 0 {
			if err := client.Do(t.Context(), "cluster", "meet", "127.0.0.1", portOf(addrs[0]), busOf(t, addrs[0])).Err(); err != nil {
				t.Fatal(err)
			}
		}
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		client := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		await(t, func() error {
			info, err := client.ClusterInfo(t.Context()).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:2")) {
				err = fmt.Errorf("not agreed yet: %s", info)
			}
			return err
		})
	}
	return addrs
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// busOf asks a server for the port to which the other servers talk: the number after @ in its
// description of itself.
func busOf(t *testing.T, addr string) string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	nodes, err := client.ClusterNodes(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(nodes, "@")
	return strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })[0]
}

func await(t *testing.T, ready func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = ready(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
