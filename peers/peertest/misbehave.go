package peertest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
)

// misbehaves commits a fault of HTTP; it returns false if there is none to commit.
func (v *visit) misbehaves() bool {
	mahara := v.o.Kind == Mahara
	switch {
	case v.faults.has(Hang):
		<-v.ctx.Done()
	case v.faults.has(Drop), v.faults.has(Truncate):
		if v.faults.has(Truncate) {
			v.w.Header().Set("Content-Length", "5000")
			v.answer(http.StatusOK, "text/xml", []byte(`<?xml version="1.0"?><methodRes`))
			v.log.Whole = false
			_ = http.NewResponseController(v.w).Flush()
		}
		panic(http.ErrAbortHandler)
	case v.faults.has(Flood):
		v.w.Header().Set("Content-Type", "text/xml")
		v.pour("<!-- more of the same, without end -->\n")
	case v.faults.has(FloodHeader):
		v.raw("HTTP/1.1 200 OK\r\n", "X-More: of the same, without end\r\n")
	case v.faults.has(NotHTTP):
		v.raw("SSH-2.0-OpenSSH_9.2p1\r\n", "")
	case v.faults.has(Redirect):
		v.w.Header().Set("Location", "http://elsewhere.example/mnet/xmlrpc/server.php?session=1")
		v.answer(http.StatusMovedPermanently, "text/html", nil)
	case v.faults.has(HTML):
		v.answer(http.StatusOK, "text/html; charset=utf-8", page("Log in to the site"))
	case v.faults.has(Empty):
		v.answer(http.StatusOK, "text/xml", nil)
	case v.faults.has(Gzip):
		v.bomb()
	case v.faults.has(Off) && mahara:
		v.answer(http.StatusForbidden, "text/html", nil)
	case v.faults.has(Off):
		v.answer(http.StatusNotFound, "text/html; charset=utf-8", []byte("<html><head><title>Erreur</title></head><body>"+
			"<a href=\"https://docs.moodle.org/error/mnet/mnetdisabled\">MNet est désactivé</a></body></html>"))
	case v.faults.has(UnknownVhost):
		v.unknownVhost()
	default:
		return v.status()
	}
	return true
}

// unknownVhost is how local_vmoodle ends a request for a host that is not in its register.
func (v *visit) unknownVhost() {
	v.answer(http.StatusOK, "text/html; charset=UTF-8", []byte("VMoodling (Mysql) : No configuration for this host : "+v.o.Wwwroot+
		". Identified root is http://master.example May be faked."))
}

// status answers with a page and the status that a fault names.
func (v *visit) status() bool {
	if seconds, ok := v.faults.number("maintenance "); ok {
		v.w.Header().Set("Retry-After", strconv.Itoa(seconds))
		v.answer(http.StatusServiceUnavailable, "text/html; charset=utf-8", page("This site is undergoing maintenance"))
		return true
	}
	if after, ok := v.faults.argument("throttled "); ok {
		v.w.Header().Set("Retry-After", after)
		v.answer(http.StatusTooManyRequests, "text/html; charset=utf-8", page("Too many requests"))
		return true
	}
	code, ok := v.faults.number("status ")
	if ok {
		v.answer(code, "text/html", page(fmt.Sprintf("%d %s", code, http.StatusText(code))))
	}
	return ok
}

// pour writes the same line until the client goes away.
func (v *visit) pour(line string) {
	for v.ctx.Err() == nil {
		if _, err := v.w.Write([]byte(line)); err != nil {
			return
		}
	}
}

// raw writes past net/http: the beginning, then the same line until the client goes away.
func (v *visit) raw(beginning, line string) {
	conn := v.takeOver()
	defer func() { _ = conn.Close() }()
	_, err := conn.Write([]byte(beginning))
	for err == nil && line != "" && v.ctx.Err() == nil {
		_, err = conn.Write([]byte(line))
	}
}

// bomb is 64 MiB of zeros, compressed into some 300 KB: gzip members that follow each other are one
// file.
func (v *visit) bomb() {
	v.w.Header().Set("Content-Encoding", "gzip")
	var member bytes.Buffer
	z, _ := gzip.NewWriterLevel(&member, gzip.BestSpeed)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	v.answer(http.StatusOK, "text/xml", bytes.Repeat(member.Bytes(), 64))
}
