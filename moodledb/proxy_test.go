package moodledb

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// fate is what happens to a statement on its way to the server.
type fate int

const (
	passes        fate = iota
	isLost             // the connection ends before the server has the statement
	goesUnsaid         // the server runs it, and the connection ends before its answer arrives
	hangsUp            // the client's connection ends at once, the server gets the statement later
	isCutShort         // the server runs it, and the connection ends just before the end of its answer
	isAskedTwice       // the server runs it twice, and answers twice
	isLostForGood      // as isLost, and no further connection is accepted
)

// proxy is between a tenant and its server, sees every statement, and cuts connections.
type proxy struct {
	port   int
	leave  func() // accepts no more connections
	server *testbed.Server
	decide func(query string) fate
	late   chan struct{} // closed: statements that hang up reach the server now
	// rewrite changes a packet of the client in place, before the first connection is made; nil:
	// none.
	rewrite func(packet []byte)

	mu      sync.Mutex
	queries []string
	longest int // packet of the client, bytes
	// route gives for every connection the function that changes its statements; nil: nothing does.
	route func() func(query string) string
}

func startProxy(t *testing.T, server *testbed.Server, decide func(query string) fate) *proxy {
	t.Helper()
	p := &proxy{server: server, decide: decide, late: make(chan struct{})}
	p.port, p.leave = testbed.Accept(t, p.serve)
	return p
}

// seen returns the statements that began with word.
func (p *proxy) seen(word string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.queries), func(q string) bool { return !strings.HasPrefix(q, word) })
}

// largest is the size of the largest packet a client sent.
func (p *proxy) largest() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.longest
}

func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", net.JoinHostPort(p.server.Host, strconv.Itoa(p.server.Port)))
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var mute sync.Mutex   // locked: answers do not reach the client
	var short atomic.Bool // the next answer is cut
	answered := make(chan struct{}, 1)
	route := func(query string) string { return query }
	p.mu.Lock()
	if p.route != nil {
		route = p.route()
	}
	p.mu.Unlock()
	go func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case answered <- struct{}{}:
			default:
			}
			mute.Lock()
			if short.Load() {
				_, _ = client.Write(buffer[:max(0, n-endOfRows)])
				return
			}
			_, _ = client.Write(buffer[:n])
			mute.Unlock()
			if err != nil {
				return
			}
		}
	}()
	read := readPacket
	if p.server.DBType == testbed.PostgreSQLType {
		read = readPostgreSQL()
	}
	for {
		packet, query, err := read(client)
		if err != nil {
			return
		}
		if p.rewrite != nil {
			p.rewrite(packet)
		}
		if routed := route(query); routed != query {
			packet = withQuery(packet, routed)
		}
		p.mu.Lock()
		p.queries, p.longest = append(p.queries, query), max(p.longest, len(packet))
		p.mu.Unlock()
		switch p.decide(query) {
		case isLost:
			return
		case isLostForGood:
			p.leave()
			return
		case goesUnsaid:
			mute.Lock()
			defer mute.Unlock()
			select { // answers to earlier statements do not count
			case <-answered:
			default:
			}
			_, _ = server.Write(packet)
			<-answered
			return
		case hangsUp:
			mute.Lock()
			defer mute.Unlock()
			_ = client.Close()
			<-p.late
			_, _ = server.Write(packet)
			<-answered
			return
		case isCutShort:
			short.Store(true)
		case isAskedTwice:
			packet = slices.Concat(packet, packet)
		}
		if _, err := server.Write(packet); err != nil {
			return
		}
	}
}

// endOfRows is the size of the packet after the last row, with its header.
const endOfRows = 9

// readPacket reads a packet of the client. query is the statement of a COM_QUERY or
// COM_STMT_PREPARE, EXECUTE for a prepared one, "" for others.
func readPacket(client net.Conn) (packet []byte, query string, err error) {
	packet = make([]byte, 4)
	if _, err := io.ReadFull(client, packet); err != nil {
		return nil, "", err
	}
	payload := make([]byte, int(packet[0])|int(packet[1])<<8|int(packet[2])<<16)
	if _, err := io.ReadFull(client, payload); err != nil {
		return nil, "", err
	}
	if len(payload) > 0 && packet[3] == 0 {
		switch payload[0] {
		case 0x03, 0x16:
			query = string(payload[1:])
		case 0x17:
			query = "EXECUTE"
		}
	}
	return append(packet, payload...), query, nil
}

// readPostgreSQL reads all messages of a client up to the one that makes the server answer. The
// first ones, before a connection has begun, have no type. query is the text of the statement, in
// which MySQL's driver and this one write COMMIT and ROLLBACK alike.
func readPostgreSQL() func(client net.Conn) (packet []byte, query string, err error) {
	begun := false
	return func(client net.Conn) (packet []byte, query string, err error) {
		for {
			head := make([]byte, 8)
			if begun {
				head = head[:5]
			}
			if _, err := io.ReadFull(client, head); err != nil {
				return nil, "", err
			}
			rest := length(head) - len(head)
			message := slices.Concat(head, make([]byte, rest))
			if _, err := io.ReadFull(client, message[len(head):]); err != nil {
				return nil, "", err
			}
			packet = append(packet, message...)
			if !begun {
				const version3 = 3 << 16 // others ask for TLS, or to cancel a statement
				begun = binary.BigEndian.Uint32(head[4:]) == version3
				return packet, "", nil
			}
			switch message[0] {
			case 'P': // the name of a prepared statement comes first
				_, text, _ := bytes.Cut(message[5:], []byte{0})
				text, _, _ = bytes.Cut(text, []byte{0})
				query = string(text)
			case 'Q':
				query = strings.TrimRight(string(message[5:]), "\x00;")
			}
			if strings.Contains("QSXpH", string(message[0])) {
				if query == "commit" || query == "rollback" {
					query = strings.ToUpper(query)
				}
				return packet, query, nil
			}
		}
	}
}

// length is that of a whole message of PostgreSQL, of which head has the first five bytes, or the
// first eight if it has no type.
func length(head []byte) int {
	if len(head) == 5 {
		return 1 + int(binary.BigEndian.Uint32(head[1:]))
	}
	return int(binary.BigEndian.Uint32(head))
}

// withQuery is the packet of a statement, with another statement in its place.
func withQuery(packet []byte, query string) []byte {
	n := 1 + len(query)
	return slices.Concat([]byte{byte(n), byte(n >> 8), byte(n >> 16), packet[3], packet[4]}, []byte(query))
}

// replaceInPlace replaces one text in a packet by another of the same length.
func replaceInPlace(packet []byte, old, by string) {
	if at := bytes.Index(packet, []byte(old)); at >= 0 && len(old) == len(by) {
		copy(packet[at:], by)
	}
}
