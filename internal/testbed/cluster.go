package testbed

import (
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

// Through is the server behind a proxy that may put another statement into the place of one.
// connect gives the function that does so for one connection.
func (s *Server) Through(t testing.TB, connect func() func(query string) string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", s.Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { s.forward(client, connect()) })
		}
	})
	return &Server{Host: s.Host, Port: listener.Addr().(*net.TCPAddr).Port}
}

// forward lasts until the client ends the connection, or the server does.
func (s *Server) forward(client net.Conn, replace func(query string) string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	for {
		header := make([]byte, 4)
		if _, err := io.ReadFull(client, header); err != nil {
			return
		}
		payload := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
		if _, err := io.ReadFull(client, payload); err != nil {
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
