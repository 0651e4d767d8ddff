package testbed

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Node is one web server of a site, with a dataroot of its own: it shares no cache with the others.
type Node struct {
	Addr       string
	Dataroot   string
	ConfigFile string
	process    *process
}

// Stop ends the web server.
func (n *Node) Stop() { n.process.stop() }

// Balance replaces the site's web server by n others, and puts a balancer of TCP connections in
// front of them, which takes them in turn. The first one has the site's own dataroot.
func (s *Site) Balance(t testing.TB, n int) []*Node {
	t.Helper()
	s.Stop()
	nodes := []*Node{s.node(t, s.Dirroot, s.Dataroot)}
	for len(nodes) < n {
		nodes = append(nodes, s.copied(t))
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go balance(listener, nodes)
	return nodes
}

// copied is a web server on a copy of the site's files.
func (s *Site) copied(t testing.TB) *Node {
	t.Helper()
	dir := t.TempDir()
	dirroot, dataroot := filepath.Join(dir, "moodle"), filepath.Join(dir, "dataroot")
	for to, from := range map[string]string{dirroot: s.Dirroot, dataroot: s.Dataroot} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), s.Dataroot, dataroot))
	if err := os.WriteFile(filepath.Join(dirroot, "config.php"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return s.node(t, dirroot, dataroot)
}

func (s *Site) node(t testing.TB, dirroot, dataroot string) *Node {
	t.Helper()
	n := &Node{Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t)), Dataroot: dataroot, ConfigFile: filepath.Join(dirroot, "config.php")}
	var err error
	if n.process, err = start(t.TempDir(), s.php, []string{"-S", n.Addr, "-t", dirroot}, s.environment()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	if err := n.process.await(func() error { return listens(n.Addr) }); err != nil {
		t.Fatalf("testbed: php -S: %v", err)
	}
	return n
}

// balance gives each connection to the next web server.
func balance(listener net.Listener, nodes []*Node) {
	var turn atomic.Uint32
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		to := nodes[int(turn.Add(1))%len(nodes)].Addr
		go func() {
			defer func() { _ = conn.Close() }()
			Pipe(conn, to)
		}()
	}
}

// Pipe connects a connection to an address until that side ends.
func Pipe(conn net.Conn, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() { _, _ = io.Copy(server, conn) }()
	_, _ = io.Copy(conn, server)
}

// Delay makes the site read the settings of MNet from a copy of their table, a replica that lags
// until [Replica.CatchUp] is called.
func (s *Site) Delay(t testing.TB) *Replica {
	t.Helper()
	s.DB.Exec(t, "CREATE TABLE {replica_config_plugins} LIKE {config_plugins}")
	s.DB.Exec(t, "INSERT INTO {replica_config_plugins} SELECT * FROM {config_plugins}")
	text, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	const end = "require_once(__DIR__ . '/lib/setup.php');"
	text = []byte(strings.Replace(string(text), end, "$CFG->read_replica = true;\n"+end, 1))
	if err := os.WriteFile(s.ConfigFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return &Replica{s}
}

// Replica is the copy from which a site reads.
type Replica struct{ site *Site }

// CatchUp brings the replica to the state of the primary.
func (r *Replica) CatchUp(t testing.TB) {
	r.site.DB.Exec(t, "REPLACE INTO {replica_config_plugins} SELECT * FROM {config_plugins}")
}
