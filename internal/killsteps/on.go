//go:build killsteps

// Package killsteps, in this build, kills the process before and after its steps.
package killsteps

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// The two variables of the build.
const (
	// The file to which the name of every step is appended when it is reached.
	envList = "MNETKEYS_TEST_STEPS"
	envKill = "MNETKEYS_TEST_KILL" // the name of the step at which the process kills itself
)

// DialFunc is net.Dialer.DialContext.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Every connection to a database goes through here without the knowledge of moodledb.
func init() {
	for _, network := range []string{"tcp", "unix"} {
		mysql.RegisterDialContext(network, func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &sqlConn{Conn: conn}, nil
		})
	}
}

// Peers is the dial function for other sites.
func Peers() DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &httpConn{Conn: conn, addr: addr}, nil
	}
}

// File runs do, which works on a file.
func File(name string, do func() error) error {
	s := begin("file " + name)
	err := do()
	s.end()
	return err
}

// step is a step that has begun.
type step string

// seen counts steps of the same name. The process is killed, so the count is one for the process.
var seen struct {
	sync.Mutex
	times map[string]int
}

// begin is called before a step. Steps of one name are distinguished by a number.
func begin(name string) step {
	seen.Lock()
	defer seen.Unlock()
	if seen.times == nil {
		seen.times = map[string]int{}
	}
	seen.times[name]++
	s := step(fmt.Sprintf("%s #%d", name, seen.times[name]))
	reached("before " + string(s))
	return s
}

// end is called after the step.
func (s step) end() {
	seen.Lock()
	defer seen.Unlock()
	reached("after " + string(s))
}

func reached(name string) {
	if list := os.Getenv(envList); list != "" {
		file, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = fmt.Fprintln(file, name)
			_ = file.Close()
		}
		if err != nil {
			panic(err)
		}
	}
	if name == os.Getenv(envKill) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// sqlConn is a connection to a database. It is used by one goroutine at a time.
type sqlConn struct {
	net.Conn
	account string // from the answer to the server's greeting
	running *step  // the statement that has no answer yet
}

// Commands of MySQL's protocol.
const (
	comQuit         = 0x01
	comQuery        = 0x03
	comPrepare      = 0x16
	comClosePrepare = 0x19
)

// Write sees complete packets, since the driver sends them so. Their sequence number is 0 at the
// beginning of a command.
func (c *sqlConn) Write(packet []byte) (int, error) {
	if len(packet) < 5 || packet[3] != 0 {
		const userAt = 4 + 4 + 4 + 1 + 23
		if c.account == "" && len(packet) > userAt {
			c.account, _, _ = strings.Cut(string(packet[userAt:]), "\x00")
		}
		return c.Conn.Write(packet)
	}
	name, account := statement(packet[4:]), c.account
	if strings.Contains(name, "_LOCK(") {
		// The locks of an array may be taken by any tenant's connection: that of the first one.
		account = "any"
	}
	s := begin("sql " + account + " " + name)
	n, err := c.Conn.Write(packet)
	if packet[4] == comQuit || packet[4] == comClosePrepare { // the server does not answer these
		s.end()
		return n, err
	}
	c.running = &s
	return n, err
}

// Read ends a statement with the first bytes of its answer: by then the server has executed it.
func (c *sqlConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.running != nil {
		c.running.end()
		c.running = nil
	}
	return n, err
}

// statement names a command: its text without values, which may be keys.
func statement(payload []byte) string {
	if payload[0] != comQuery && payload[0] != comPrepare {
		return fmt.Sprintf("command %d", payload[0])
	}
	text, _, _ := strings.Cut(string(payload[1:]), "'")
	if strings.HasPrefix(text, "SET ") {
		return "SET" // the driver's session settings, in any order
	}
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 70)]
}

// httpConn is a connection to another site, used for one request.
type httpConn struct {
	net.Conn
	addr    string
	request *step
}

func (c *httpConn) Write(b []byte) (int, error) {
	if c.request == nil {
		line, _, _ := strings.Cut(string(b), " HTTP/")
		s := begin("http " + c.addr + " " + line)
		c.request = &s
	}
	return c.Conn.Write(b)
}

// Close is called after the answer has been read.
func (c *httpConn) Close() error {
	if c.request != nil {
		c.request.end()
		c.request = nil
	}
	return c.Conn.Close()
}
