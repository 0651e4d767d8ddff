//go:build killsteps

package killsteps

import (
	"bytes"
	"net"
	"strings"
)

// PostgreSQL is a connection to such a server whose statements are steps. It is used by one
// goroutine at a time.
func PostgreSQL(conn net.Conn, account string) net.Conn {
	return &postgreSQLConn{Conn: conn, account: account}
}

type postgreSQLConn struct {
	net.Conn
	account string
	running *step // the statement that has no answer yet
}

// Write sees complete messages, since the driver sends all of a statement at once.
func (c *postgreSQLConn) Write(messages []byte) (int, error) {
	name := postgreSQLStatement(messages)
	if name == "" {
		return c.Conn.Write(messages)
	}
	s := begin("sql " + c.account + " " + name)
	n, err := c.Conn.Write(messages)
	c.running = &s
	return n, err
}

// Read ends a statement with the first bytes of its answer: by then the server has executed it.
func (c *postgreSQLConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.running != nil {
		c.running.end()
		c.running = nil
	}
	return n, err
}

// postgreSQLStatement is the text of a statement without values, which are sent beside it. It is ""
// for messages that are none: the login and the end.
func postgreSQLStatement(messages []byte) string {
	const textAt = 5 // after the type and the length
	if len(messages) <= textAt || messages[0] != 'P' && messages[0] != 'Q' {
		return ""
	}
	text := messages[textAt:]
	if messages[0] == 'P' {
		_, text, _ = bytes.Cut(text, []byte{0}) // the name of the statement
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	if string(text) == "-- ping" {
		return "" // the driver asks whether the connection is alive, if it was idle for a second
	}
	name := strings.Join(strings.Fields(string(text)), " ")
	return name[:min(len(name), 70)]
}
