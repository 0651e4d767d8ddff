package peers

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"renew_mnetkeys/rotate"
)

// failed makes a Failure whose detail is safe to print, whatever the peer put into its arguments.
func failed(reason rotate.Reason, cause error, format string, args ...any) *rotate.Failure {
	return &rotate.Failure{Reason: reason, Pending: reason.Pending(), Detail: clean(fmt.Sprintf(format, args...), detailLimit), Err: cause}
}

// unanswered says that nothing came back, or not all of an answer.
func unanswered(f *rotate.Failure) bool {
	switch f.Reason {
	case rotate.ReasonDNS, rotate.ReasonConnect, rotate.ReasonTimeout, rotate.ReasonInterrupted:
		return true
	}
	return false
}

// detailLimit is the longest detail, in characters.
const detailLimit = 200

// escapes are terminal control sequences: CSI (ESC [ … letter) and OSC (ESC ] … BEL or ESC \), in ESC form and as C1.
var escapes = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\x1b\\]|\u009d)[^\a\x1b\u009c]*(?:\a|\x1b\\\\|\u009c)?|\x1b.?")

// clean makes text of a peer fit for a terminal, a log and a JSON document: valid UTF-8, one line, no terminal
// escapes, no control or invisible formatting characters (a right-to-left override can forge a host name), no PEM
// block (an echoing server would put our certificate into the log), at most limit characters.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = escapes.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	// Only now: what hid the marker is gone.
	if pem := strings.Index(s, "-----BEGIN"); pem >= 0 {
		s = s[:pem] + "(PEM left out)"
	}
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > limit {
		s = strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return s
}
