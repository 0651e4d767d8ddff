package peertest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Verdict is what a caller should finally say of a site.
type Verdict string

// The verdicts.
const (
	Proven  Verdict = "proven"  // it was shown that the site has the caller's certificate
	Pending Verdict = "pending" // the site was not reached, or its answer did not arrive whole
	Refused Verdict = "refused" // it answered, and did not show it
)

// Truth is what a site knows of a caller's last exchange with it.
type Truth struct {
	Holds   bool // whether it has the certificate in question
	Verdict Verdict
	Reasons []string // the caller should name one of them (the stable codes of package peers); nil: the XML-RPC fault decides
	Last    Exchange
}

// Truth judges the last exchange, which must have been the caller's: a conversation ends with the
// exchange that decides it. A caller from which nothing ever arrived is pending.
func (s *Site) Truth(caller, certificate string) Truth {
	truth := Truth{Holds: s.Held(caller) == certificate, Verdict: Pending}
	all := s.Exchanges()
	if len(all) == 0 {
		return truth
	}
	truth.Last = all[len(all)-1]
	truth.Verdict, truth.Reasons = truth.Last.judge()
	switch {
	case nothing(all) && s.o.Kind == Mahara:
		truth.Verdict, truth.Reasons = Refused, []string{"not_xmlrpc"}
	case nothing(all): // as a Moodle without the certificate answers
		truth.Verdict, truth.Reasons = Refused, []string{"not_xmlrpc", "cannot_open"}
	case truth.Verdict == Refused && unopened(all) && (truth.Reasons != nil || isPage(truth.Last)):
		truth.Reasons = append(truth.Reasons, "fault_7023", "no_rc4")
	case truth.Verdict == Proven && severalKeys(all):
		truth.Verdict, truth.Reasons = Refused, []string{"several_caches"}
	}
	return truth
}

// nothing says whether the last call was answered with nothing. The page of the certificate may have
// been asked for since, to find out why: it decides nothing.
func nothing(all []Exchange) bool {
	for _, e := range slices.Backward(all) {
		if !isPage(e) {
			verdict, _ := e.judge()
			return verdict == Refused && faultSet(e.Faults).has(Empty) && e.wrong() != ""
		}
	}
	return false
}

// isPage says whether an exchange was about the page that shows the certificate.
func isPage(e Exchange) bool { return strings.HasPrefix(e.Request.Method, http.MethodGet) }

// severalKeys says whether the last call was opened although an earlier one that was sealed to the
// same certificate was not.
func severalKeys(all []Exchange) bool {
	last := all[len(all)-1].Request
	return slices.ContainsFunc(all, func(e Exchange) bool { return e.Request.Fault == 7023 && e.Request.SealedTo == last.SealedTo })
}

// unopened says whether the last sealed call of a conversation was not opened: the requests after
// it tried to find out why.
func unopened(all []Exchange) bool {
	for _, e := range slices.Backward(all) {
		if e.Request.Sealed {
			return e.Request.Fault == 7023
		}
	}
	return false
}

// judge says how an exchange must end, given what was done in it.
func (e Exchange) judge() (Verdict, []string) {
	met, r := faultSet(e.Faults), e.Request
	switch {
	case !e.Served:
		return Pending, e.unserved()
	case met.has(Flood), met.has(FloodHeader):
		return Refused, []string{"too_large"}
	case met.has(NotHTTP), met.has(BadChunks):
		return Refused, []string{"not_xmlrpc"}
	case met.has(Hang):
		return Pending, []string{"timeout"}
	case !r.Whole && met.duration("drip ") > 0:
		return Pending, []string{"timeout"}
	case !r.Whole:
		return Pending, []string{"connect"}
	case r.Status >= http.StatusInternalServerError, r.Status == http.StatusTooManyRequests:
		return Pending, []string{fmt.Sprintf("http_%d", r.Status)}
	case r.Status != http.StatusOK && !met.has(Off):
		return Refused, []string{fmt.Sprintf("http_%d", r.Status)}
	}
	if reason := e.wrong(); reason != "" {
		return Refused, []string{reason}
	}
	if r.Sealed && r.Verified && r.proves() {
		return Proven, []string{""}
	}
	return Refused, nil
}

// proves says whether an answer shows that the keys of both sides work: a sealed fault does, unless
// it is about the keys.
func (r Request) proves() bool {
	return r.Fault == NoFault || r.SealedAnswer && !slices.Contains([]int{704, 710, 6012, 7025}, r.Fault)
}

// unserved are the reasons for a connection on which no request came.
func (e Exchange) unserved() []string {
	met := faultSet(e.Faults)
	switch {
	case met.has(Unaccepted):
		return []string{"timeout"}
	case met.has(ResetAtOnce):
		return []string{"connect"}
	}
	return []string{"tls"}
}

// wrong is the reason why an answer that arrived whole proves nothing, "" if nothing is wrong with
// it.
func (e Exchange) wrong() string {
	met, r := faultSet(e.Faults), e.Request
	for _, page := range []Fault{HTML, Empty, Gzip, UnknownVhost} {
		if met.has(page) {
			return "not_xmlrpc"
		}
	}
	switch {
	case met.has(Off):
		return "mnet_off"
	case !isPage(e) && met.stray(r.SealedAnswer):
		return "stray_output"
	case !r.Sealed || r.Fault != NoFault:
		return ""
	case met.has(BadSignature), met.has(Unsealed):
		return "bad_signature"
	case met.has(OtherSeal), met.has(OldSeal):
		return "cannot_open"
	case met.duration("clock ahead ") > driftThreshold+time.Second, met.duration("clock ahead ") < -24*time.Hour:
		return "clock"
	}
	return ""
}
