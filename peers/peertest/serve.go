package peertest

import (
	"context"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
)

// silent stops http.Server from logging the connections that faults break.
var silent = log.New(io.Discard, "", 0)

// visit is one request while it is answered.
type visit struct {
	*Site
	ctx    context.Context
	w      http.ResponseWriter
	body   []byte
	faults faultSet
	log    Request

	exchange *Exchange
}

// ServeHTTP answers /, /mnet/publickey.php and the XML-RPC server.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.busy.RLock()
	defer s.busy.RUnlock()
	// The body is read first, because net/http notices that a client went away only after its
	// request is read.
	body, err := io.ReadAll(io.LimitReader(r.Body, 2*envelope.MaxSize))
	if err != nil {
		return
	}
	at := 0
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		at = c.node
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), nodeKey{}, at))
	defer cancel()
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	done, err := s.o.Pool.work(ctx)
	if err != nil {
		return
	}
	defer done()

	exchange := s.begin(r.Context())
	v := &visit{Site: s, ctx: ctx, w: w, body: body, exchange: exchange, faults: s.faultsNow(exchange.Faults, at), log: Request{
		Node:           at,
		Method:         r.Method + " " + r.URL.Path,
		Fault:          NoFault,
		UserAgent:      r.Header.Get("User-Agent"),
		ContentType:    r.Header.Get("Content-Type"),
		AcceptEncoding: r.Header.Get("Accept-Encoding"),
		Close:          r.Close,
	}}
	defer func() { // deferred, because some faults end in a panic that net/http expects
		v.note()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, v.log)
	}()
	select {
	case <-time.After(s.o.Latency):
	case <-ctx.Done():
		return
	}
	if !v.misbehaves() {
		v.route(r)
	}
}

// route answers by host and path, in which two slashes are one, as for Apache and nginx.
func (v *visit) route(r *http.Request) {
	path := v.below(strings.ReplaceAll(r.URL.Path, "//", "/"))
	switch {
	case v.o.Kind == Array && r.Host != v.host:
		v.unknownVhost()
	case path == "/":
		v.answer(http.StatusOK, "text/html; charset=utf-8", page(v.o.Name))
	case path == "/mnet/publickey.php" && v.o.Kind != Mahara:
		v.publicKey()
	case path == v.ServerURL():
		v.xmlrpc(r.Method)
	default:
		v.answer(http.StatusNotFound, "text/html", page("404 Not Found"))
	}
}

// below is a path without the path of the wwwroot. It ignores the letter case, like a web server on
// a file system that ignores it.
func (s *Site) below(path string) string {
	if n := len(s.path); len(path) >= n && strings.EqualFold(path[:n], s.path) {
		return path[n:]
	}
	return path
}

// answer writes a whole answer.
func (v *visit) answer(status int, contentType string, body []byte) {
	v.log.Status = status
	if v.handsOver(status, contentType, body) {
		return
	}
	v.w.Header().Set("Content-Type", contentType)
	v.w.WriteHeader(status)
	_, err := v.w.Write(body)
	v.log.Whole = err == nil
}

// page is an HTML page with a title.
func page(title string) []byte {
	return fmt.Appendf(nil, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>%s</title></head>\n"+
		"<body><p>page</p></body></html>\n", html.EscapeString(title))
}

// publicKey is mnet/publickey.php: the certificate that the web server uses.
func (v *visit) publicKey() {
	current, _, err := v.keys(v.ctx, v.faults)
	if err != nil {
		v.answer(http.StatusInternalServerError, "text/html", page("Error"))
		return
	}
	v.answer(http.StatusOK, "text/plain; charset=utf-8", []byte(current.Certificate.PEM))
}

// xmlrpc is mnet/xmlrpc/server.php.
func (v *visit) xmlrpc(httpMethod string) {
	if code, ok := v.faults.number("answers fault "); ok {
		v.reply(v.fault(code, "as asked for"))
		return
	}
	if envelope.IsSealed(v.body) {
		v.log.Sealed = true
		v.reply(v.sealedCall())
		return
	}
	call, err := parseCall(v.body)
	switch {
	case (err != nil || httpMethod != http.MethodPost) && v.o.Modern:
		v.answer(http.StatusNotFound, "text/html", page("Error"))
		return
	case err != nil && v.o.Kind == Mahara:
		v.reply(v.fault(6001, generic))
		return
	case err != nil:
		v.reply(v.fault(7021, "The transport method you are trying to use is not permitted."))
		return
	}
	v.log.Method, v.log.Params = call.Method, len(call.Params)
	switch {
	case call.Method == "system/keyswap" || call.Method == "system.keyswap":
		v.reply(v.keyswap(call))
	case v.o.Kind == Mahara:
		v.reply(v.fault(6005, generic))
	default:
		v.reply(v.fault(7021, "The transport method you are trying to use is not permitted."))
	}
}

// generic is Mahara's text for nearly every fault.
const generic = "Sorry, we could not log you into Mahara at this time. Please try again shortly. " +
	"If the problem persists, contact your administrator."

// fault notes the fault and encodes it, unsealed.
func (v *visit) fault(code int, text string) []byte {
	v.log.Fault = code
	return encodeFault(code, text)
}

// reply writes an XML-RPC answer.
func (v *visit) reply(body []byte) {
	where := OnPlain("")
	if envelope.IsSealed(body) {
		where = OnSealed("")
		v.log.SealedAnswer = true
	}
	body = v.faults.noisy(body, "", where)
	v.answer(http.StatusOK, "text/xml; charset=utf-8", body)
}

// keys are the pairs that the web server uses.
func (s *Site) keys(ctx context.Context, faults faultSet) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	current, history, err := s.o.Store.Keys(ctx)
	stale, staleHistory, caches := s.cached(ctx)
	switch {
	case caches:
		current, history = stale, staleHistory
	case err != nil:
		return nil, nil, err
	case current == nil:
		return nil, nil, fmt.Errorf("site %s has no key pair", s.o.Wwwroot)
	case faults.has(StaleKey) && len(history) > 0:
		current, history = history[0], history[1:]
	}
	if faults.has(Forgets) {
		history = nil
	}
	return current, history, nil
}
