package peers

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// mahara is the name of Mahara in mnet_application.
const mahara = "mahara"

// refusal is what the HTTP status of an answer means. It is nil for 200, which XML-RPC uses for
// answers and faults alike.
func (a *answer) refusal(p rotate.Peer) *rotate.Failure {
	switch {
	case a.status == http.StatusOK:
		return nil
	// Moodle 4.1 and later answer 404 also to XML that they cannot read. The page then contains the
	// name of the error, in every language.
	case a.status == http.StatusNotFound && bytes.Contains(a.body, []byte("mnetdisabled")):
		return failedAs(rotate.ReasonMNetOff)
	// A 403 with a page in it comes from a web server in front.
	case a.status == http.StatusForbidden && p.Application == mahara && len(bytes.TrimSpace(a.body)) == 0:
		return failedAs(rotate.ReasonMNetOff)
	}
	f := failed(rotate.HTTPReason(a.status), nil, "%s%s", http.StatusText(a.status), a.hint())
	f.RetryAfter = a.header.Get("Retry-After")
	return f
}

// hint is what else an unexpected answer says about itself: where it redirects to, or the title of
// its page.
func (a *answer) hint() string {
	if to, err := url.Parse(a.header.Get("Location")); err == nil && to.Path+to.Host != "" {
		// The query is left out: it may contain a session.
		return fmt.Sprintf(": redirects to %s", (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}))
	}
	if title := pageTitle(a.body); title != "" {
		return fmt.Sprintf(": page %q", title)
	}
	return ""
}

// errNothing is an answer with an empty body.
var errNothing = errors.New("empty answer")

// notXMLRPC describes a body that should have been XML-RPC and is not.
func (a *answer) notXMLRPC(cause error) *rotate.Failure {
	if f := strayFailure(cause); f != nil {
		return f
	}
	body := bytes.TrimSpace(a.body)
	switch {
	case len(body) == 0:
		return failed(rotate.ReasonNotXMLRPC, errNothing, "answered nothing")
	// These are local_vmoodle's own words for a host that is not in its register.
	case bytes.HasPrefix(body, []byte("VMoodling")):
		return failed(rotate.ReasonNotXMLRPC, cause, "unknown virtual host: %s", body[:min(len(body), detailLimit)])
	case pageTitle(a.body) != "":
		return failed(rotate.ReasonNotXMLRPC, cause, "answered an HTML page: %s", pageTitle(a.body))
	}
	return failed(rotate.ReasonNotXMLRPC, cause, "answered %s, not XML-RPC", http.DetectContentType(body))
}

// strayLimit is how much of a stray output is shown, in characters.
const strayLimit = 80

// strayFailure is the failure for output around the XML; nil if err is something else.
func strayFailure(err error) *rotate.Failure {
	var stray *envelope.StrayError
	if !errors.As(err, &stray) {
		return nil
	}
	return failed(rotate.ReasonStrayOutput, err, "something stands %s the XML, so Moodle cannot read the answer: %s",
		stray.Where(), clean(string(stray.Text), strayLimit))
}

// refusal is what an XML-RPC fault means. The text that a peer sends with it does not help: it is
// in the peer's language, or the same for all faults.
func (f *fault) refusal() *rotate.Failure {
	reason := rotate.FaultReason(f.code)
	return failed(reason, nil, "%s: %s", reason.Row().Means, f.text)
}

var titleElement = regexp.MustCompile(`(?is)<title(?:\s[^>]*)?>(.*?)</title\s*>`)

// titleLimit is the size of mnet_host.name, in characters.
const titleLimit = 80

// pageTitle is the title of an HTML page, one line of at most titleLimit characters; "" if it has
// none.
func pageTitle(page []byte) string {
	found := titleElement.FindSubmatch(page)
	if found == nil {
		return ""
	}
	return clean(html.UnescapeString(string(toUTF8(found[1]))), titleLimit)
}
