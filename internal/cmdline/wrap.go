package cmdline

import (
	"fmt"
	"strings"
)

// helpWidth is the width of --help: a terminal has 80 columns.
const helpWidth = 80

// The columns where explanations begin.
const (
	commandColumn = 13
	optionColumn  = 32
)

// wrapped breaks a text at blanks into lines of at most width columns.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line+" "+word)) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// paragraph writes a text in the width of --help.
func paragraph(b *strings.Builder, text string) {
	b.WriteString(strings.Join(wrapped(text, helpWidth), "\n") + "\n")
}

// hanging writes a term, and its explanation from a given column on.
func hanging(b *strings.Builder, column int, term, does string) {
	lines := wrapped(does, helpWidth-column)
	if len(term) > column-4 {
		fmt.Fprintf(b, "  %s\n", term)
		term = ""
	}
	for _, line := range lines {
		fmt.Fprintf(b, "  %-*s%s\n", column-2, term, line)
		term = ""
	}
}
