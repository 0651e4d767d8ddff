package testbed

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// These are the answers of clusters that forbid GET_LOCK, as the statements that give them.
const (
	// RefusedByXtraDB is Percona XtraDB Cluster's answer with pxc_strict_mode ENFORCING.
	RefusedByXtraDB = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'Percona-XtraDB-Cluster prohibits use of GET_LOCK with pxc_strict_mode = ENFORCING'"
	// RefusedByGalera is that of some releases of MariaDB Galera Cluster.
	RefusedByGalera = "SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1235, MESSAGE_TEXT = 'This version of MariaDB doesn''t yet support ''GET_LOCK in cluster (WSREP_ON=ON)'''"
)

// WithoutLocks is the server behind a proxy that lets it answer to every GET_LOCK as refusal does.
// It can be reached by TCP only.
func (s *Server) WithoutLocks(t testing.TB, refusal string) *Server {
	t.Helper()
	return s.Through(t, func() func(string) string {
		return func(query string) string {
			if strings.Contains(query, "GET_LOCK(") {
				return refusal
			}
			return query
		}
	})
}

// WithoutTLS is the server behind a proxy that hides from its greeting that it offers TLS.
func (s *Server) WithoutTLS(t testing.TB) *Server {
	t.Helper()
	return s.behind(t, hideTLS, func() func(string) string { return func(query string) string { return query } })
}

// hideTLS changes a greeting (Protocol::HandshakeV10): number, version and a zero, connection, 8
// bytes of scramble and a zero, capabilities.
func hideTLS(greeting []byte) {
	if end := bytes.IndexByte(greeting, 0); end >= 0 && len(greeting) > end+15 {
		greeting[end+15] &^= 1 << 3 // CLIENT_SSL, 1 << 11
	}
}

// Through is the server behind a proxy that may put another statement into the place of one.
// connect gives the function that does so for one connection.
func (s *Server) Through(t testing.TB, connect func() func(query string) string) *Server {
	t.Helper()
	return s.behind(t, func([]byte) {}, connect)
}

func (s *Server) behind(t testing.TB, greet func(greeting []byte), connect func() func(query string) string) *Server {
	t.Helper()
	port, _ := Accept(t, func(client net.Conn) { s.forward(client, greet, connect()) })
	return &Server{DBType: s.DBType, Host: s.Host, Port: port}
}

// Accept serves the connections to a free port of 127.0.0.1 until leave is called or the test ends,
// which waits for them.
func Accept(t testing.TB, serve func(client net.Conn)) (port int, leave func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leave = func() { _ = listener.Close() }
	var connections sync.WaitGroup
	t.Cleanup(func() {
		leave()
		connections.Wait()
	})
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { serve(client) })
		}
	})
	return listener.Addr().(*net.TCPAddr).Port, leave
}

// forward lasts until the client ends the connection, or the server does.
func (s *Server) forward(client net.Conn, greet func([]byte), replace func(query string) string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		defer func() { _ = client.Close() }()
		header, greeting, err := packet(server)
		if err != nil {
			return
		}
		greet(greeting)
		if _, err := client.Write(append(header, greeting...)); err == nil {
			_, _ = io.Copy(client, server)
		}
	}()
	for {
		header, payload, err := packet(client)
		if err != nil {
			return
		}
		const comQuery = 0x03
		if len(payload) > 0 && header[3] == 0 && payload[0] == comQuery {
			payload = append(payload[:1], replace(string(payload[1:]))...)
			n := len(payload)
			header[0], header[1], header[2] = byte(n), byte(n>>8), byte(n>>16)
		}
		if _, err := server.Write(append(header, payload...)); err != nil {
			return
		}
	}
}

func packet(from io.Reader) (header, payload []byte, err error) {
	header = make([]byte, 4)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, nil, err
	}
	payload = make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err = io.ReadFull(from, payload)
	return header, payload, err
}
