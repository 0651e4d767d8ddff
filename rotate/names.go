package rotate

import (
	"fmt"
	"strings"
)

// NamesShown is how many names of many a text has; --json has all.
const NamesShown = 5

// Some lists a few of many names.
func Some(names []string) string {
	if len(names) <= NamesShown+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:NamesShown], ", "), len(names)-NamesShown)
}
