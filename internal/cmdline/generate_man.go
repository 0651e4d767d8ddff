package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// manPage is renew_mnetkeys(8). Text that is not in the tables of --help is in the constants in
// generate_man_text.go, as roff.
func manPage() string {
	var b strings.Builder
	release, _, _ := strings.Cut(Version(), " ")
	fmt.Fprintf(&b, ".TH RENEW_MNETKEYS 8 \"\" %s \"System Administration\"\n", roffQuoted("renew_mnetkeys "+release))
	b.WriteString(manHead)
	manCommands(&b)
	b.WriteString(".SH OPTIONS\nSome options name commands in brackets: only these commands have the option. A value follows an equals sign or a blank: \\fB\\-\\-days=28\\fR or \\fB\\-\\-days 28\\fR. " + roff("DURATION is written as 90s, 36h or 7d.") + "\n")
	for _, g := range groups {
		fmt.Fprintf(&b, ".SS %s\n", roffQuoted(g.title))
		for _, o := range g.options {
			tagged(&b, manOption(o), o.doesForTakers())
		}
	}
	b.WriteString(".SS \"Help and version\"\n")
	for _, o := range completedOptions()[len(allOptions()):] {
		tagged(&b, manOption(o), o.help)
	}
	manExits(&b)
	b.WriteString(manFiles)
	manExamples(&b)
	b.WriteString(manTail)
	return b.String()
}

// manCommands writes a section for each command, and a list of the words that are not commands.
func manCommands(b *strings.Builder) {
	b.WriteString(".SH COMMANDS\nThe command is the first word. Without a command the key is renewed.\n")
	for _, c := range Commands {
		fmt.Fprintf(b, ".SS %s\n%s.\n.PP\n%s\n", roffQuoted(c.Line()), roffLine(capital(c.Does)), roffLine(c.about))
	}
	b.WriteString(".SS \"Other words\"\n")
	for _, e := range extras {
		tagged(b, roffBold(e.word), e.does)
	}
}

// manExamples writes the examples of every command.
func manExamples(b *strings.Builder) {
	b.WriteString(".SH EXAMPLES\n")
	for _, c := range Commands {
		for _, e := range c.examples {
			fmt.Fprintf(b, ".PP\n%s:\n.PP\n.RS\n.EX\n%s\n.EE\n.RE\n", roffLine(capital(e.does)), roffLine(e.line()))
		}
	}
}

// capital writes the first letter in upper case, as at the beginning of a sentence.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// manOption formats an option: its name is bold, its value is in italics.
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

// manExits writes the exit codes of the commands that write, of those that only read, and of check.
func manExits(b *strings.Builder) {
	b.WriteString(".SH \"EXIT STATUS\"\n")
	for _, first := range Commands {
		same := namesOf(func(c Command) bool { return c.Exits.String() == first.Exits.String() })
		if same[0] != first.Name {
			continue
		}
		fmt.Fprintf(b, ".SS %s\n", roffQuoted(capital(enumerated(same, "and"))))
		for line := range strings.Lines(first.Exits.String()) {
			code, means, _ := strings.Cut(strings.TrimSpace(line), "  ")
			tagged(b, roffBold(code), means)
		}
	}
}

// tagged writes a paragraph with a tag, which is already roff.
func tagged(b *strings.Builder, tag, text string) {
	fmt.Fprintf(b, ".TP\n%s\n%s\n", tag, roffLine(text))
}

func roffBold(s string) string { return `\fB` + roff(s) + `\fR` }

func roffQuoted(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }

// roffLine escapes a line of text: if it began with a dot or a quote, roff would take it as a
// request.
func roffLine(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + roff(s)
	}
	return roff(s)
}

// roff escapes what roff would interpret or print as something else: a plain - becomes a hyphen,
// which cannot be pasted into a shell. Characters beyond ASCII become code points.
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
