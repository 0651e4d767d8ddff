package peers

import (
	"fmt"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// failed makes a Failure whose detail is safe to print, whatever the peer put into its arguments.
func failed(reason rotate.Reason, cause error, format string, args ...any) *rotate.Failure {
	return &rotate.Failure{Reason: reason, Pending: reason.Row().Pending, Detail: clean(fmt.Sprintf(format, args...), detailLimit), Err: cause}
}

// failedAs is a failure that its reason describes completely.
func failedAs(reason rotate.Reason) *rotate.Failure {
	return failed(reason, nil, "%s", reason.Row().Means)
}

// detailLimit is the longest detail, in characters.
const detailLimit = 200

// clean makes a peer's text safe for a terminal, a log and a JSON document. The result is a
// [printable.Line] with single blanks, without the characters that Line replaces (some languages
// need marks that are not printed), and without a PEM block (an echoing server would put our
// certificate into the log).
func clean(s string, limit int) string {
	s = strings.ReplaceAll(printable.Line(s, 0), printable.Replacement, "")
	// The cut comes last: what could hide the marker has been removed.
	if text, _, found := strings.Cut(s, "-----BEGIN"); found {
		s = text + "(PEM left out)"
	}
	return printable.Line(strings.Join(strings.Fields(s), " "), limit)
}
