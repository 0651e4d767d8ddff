package output

import (
	"fmt"
	"strings"

	"renew_mnetkeys/internal/printable"
)

// LeftOut are sites or files that a run does not work on, for one reason.
type LeftOut struct {
	Kind  string // master, tenant, …
	Why   string
	Names []string
}

// None reports whether there are none.
func (l LeftOut) None() bool { return len(l.Names) == 0 }

// String names them, or some of many.
func (l LeftOut) String() string {
	shown := l.Names[:min(len(l.Names), 5)]
	more := ""
	if n := len(l.Names) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s left out: %s: %s%s", count(len(l.Names), l.Kind), l.Why, printable.Line(strings.Join(shown, ", "), 0), more)
}
