package peertest

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"
)

// pieces is the number of pieces of a dripping answer.
const pieces = 20

// handsOver writes an answer in the way that a fault demands. It returns false if the answer must
// be written in the usual way.
func (v *visit) handsOver(status int, contentType string, body []byte) bool {
	head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", status, http.StatusText(status), contentType)
	sized := fmt.Appendf(bytes.Clone(head), "Content-Length: %d\r\n", len(body))
	whole := func(head []byte, fields string) []byte {
		return append(append(bytes.Clone(head), fields+"\r\n"...), body...)
	}
	switch {
	case v.faults.has(ResetUnanswered):
		reset(v.takeOver())
	case v.faults.has(ResetWithin):
		c := v.takeOver()
		answer := whole(sized, "")
		_, _ = c.Write(answer[:len(answer)-len(body)/2-1])
		settle()
		reset(c)
	case v.faults.has(ResetAfter):
		c := v.takeOver()
		v.finish(c, whole(sized, ""))
		settle()
		reset(c)
	case v.faults.has(HTTP10):
		c := v.takeOver()
		v.finish(c, whole(bytes.Replace(head, []byte("/1.1"), []byte("/1.0"), 1), ""))
		_ = c.Close()
	case v.faults.has(KeepsOpen):
		c := v.takeOver()
		v.finish(c, whole(sized, "Connection: keep-alive\r\n"))
		v.leave(c)
	case v.faults.has(BadChunks):
		c := v.takeOver()
		_, _ = c.Write(fmt.Appendf(head, "Transfer-Encoding: chunked\r\n\r\n1\r\n<\r\nno size\r\n%s\r\n0\r\n\r\n", body))
		_ = c.Close()
	default:
		return v.drips(whole(sized, ""))
	}
	return true
}

// drips writes an answer piece by piece.
func (v *visit) drips(answer []byte) bool {
	spread := v.faults.duration("drip ")
	if spread == 0 {
		return false
	}
	c := v.takeOver()
	defer func() { _ = c.Close() }()
	for part := range pieces - 1 {
		from, to := len(answer)*part/pieces, len(answer)*(part+1)/pieces
		if _, err := c.Write(answer[from:to]); err != nil {
			return true
		}
		select {
		case <-time.After(spread / (pieces - 1)):
		case <-v.ctx.Done():
			return true
		case <-v.closed:
			return true
		}
	}
	v.finish(c, answer[len(answer)*(pieces-1)/pieces:])
	return true
}

// finish writes the end of an answer. It notes before that the answer was written, because the
// other side may ask at once.
func (v *visit) finish(c net.Conn, end []byte) {
	v.log.Whole = true
	v.note()
	if _, err := c.Write(end); err != nil {
		v.log.Whole = false
	}
}

// settle lets the written bytes arrive: a reset would discard those that have not arrived.
func settle() { time.Sleep(5 * time.Millisecond) }

// takeOver gives the connection to a fault; net/http does no more with it. Its request has been
// read.
func (v *visit) takeOver() net.Conn {
	c, _, err := http.NewResponseController(v.w).Hijack()
	if err != nil {
		panic(fmt.Sprintf("fake site cannot take over its connection: %v", err))
	}
	return c
}
