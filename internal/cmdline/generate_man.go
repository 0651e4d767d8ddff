package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// manPage is renew_mnetkeys(8). What is not in the tables of --help stands in the
// constants below, as roff.
func manPage() string {
	var b strings.Builder
	release, _, _ := strings.Cut(Version(), " ")
	fmt.Fprintf(&b, ".TH RENEW_MNETKEYS 8 \"\" %s \"System Administration\"\n", roffQuoted("renew_mnetkeys "+release))
	b.WriteString(manHead)
	b.WriteString(".SH COMMANDS\nThe command is the first word. Without one the key is renewed.\n")
	for _, c := range Commands[1:] {
		tagged(&b, roffBold(string(c.Name)), c.Does)
	}
	tagged(&b, roffBold("generate"), generateDoes)
	b.WriteString(".SH OPTIONS\nOptions are written \\fB\\-\\-k=v\\fR or \\fB\\-\\-k v\\fR. " + roff("DURATION is written as 90s, 36h or 7d.") + "\n")
	for _, g := range groups {
		fmt.Fprintf(&b, ".SS %s\n", roffQuoted(g.title))
		for _, o := range g.options {
			tagged(&b, manOption(o), o.doesForTakers())
		}
	}
	b.WriteString(".SS \"This program\"\n")
	tagged(&b, `\fB\-h\fR, \fB\-\-help\fR`, "print this and exit; behind a command, the options of that command")
	tagged(&b, `\fB\-v\fR, \fB\-\-version\fR`, "print the version and exit")
	manExits(&b)
	b.WriteString(manTail)
	return b.String()
}

// manOption is how an option is written: bold as typed, its value in italics.
func manOption(o *option) string {
	var names []string
	for _, flag := range slices.Backward(o.flags()) { // the short name comes first
		names = append(names, roffBold(flag))
	}
	tag := strings.Join(names, ", ")
	if !o.isSwitch() {
		tag += `=\fI` + roff(o.arg) + `\fR`
	}
	return tag
}

// doesForTakers is what an option does, and the commands that take it.
func (o *option) doesForTakers() string {
	if o.of == nil {
		return o.does()
	}
	return o.does() + " [" + o.takers(", ") + "]"
}

// manExits has the exit codes of the commands that write, of those that look, and
// of check.
func manExits(b *strings.Builder) {
	b.WriteString(".SH \"EXIT STATUS\"\n")
	for _, first := range Commands {
		same := namesOf(func(c Command) bool { return c.exits == first.exits })
		if same[0] != first.Name {
			continue
		}
		fmt.Fprintf(b, ".SS %s\n", roffQuoted("Of "+joined(same, ", ")))
		for line := range strings.Lines(first.exits) {
			code, means, _ := strings.Cut(strings.TrimSpace(line), "  ")
			tagged(b, roffBold(code), means)
		}
	}
}

// tagged writes a paragraph under a tag, which is roff already.
func tagged(b *strings.Builder, tag, text string) {
	fmt.Fprintf(b, ".TP\n%s\n%s\n", tag, roffLine(text))
}

func roffBold(s string) string { return `\fB` + roff(s) + `\fR` }

func roffQuoted(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }

// roffLine is a line of text: one that began with a dot or a quote would be a request.
func roffLine(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + roff(s)
	}
	return roff(s)
}

// roff escapes what roff would take for its own or print as something else: a plain -
// becomes a hyphen, which cannot be pasted into a shell. Beyond ASCII it is a code point.
func roff(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
