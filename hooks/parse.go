package hooks

import (
	"errors"
	"fmt"
	"strings"
)

// Command is a program with its arguments. Parse makes one.
type Command struct{ argv []string }

// String is the program alone: the arguments can hold what the operator keeps to himself, a web hook's address for one.
func (c Command) String() string {
	if len(c.argv) == 0 {
		return ""
	}
	return printable(c.argv[0])
}

// Parse reads a command as sh would, as far as that needs no shell: words stand between blanks; what stands in '…' is literal; in "…" a backslash takes
// the meaning from " \ $ and `; elsewhere from any character. What sh would do more for (pipes, variables, patterns, comments, a ~) is an error and not
// quietly something else: who wants it writes sh -c '…'. So whatever Parse takes, sh takes for the same words.
func Parse(s string) (Command, error) {
	if at := strings.IndexByte(s, 0); at >= 0 {
		return Command{}, fmt.Errorf("a NUL stands at byte %d of the command", at+1)
	}
	p := parser{text: strings.TrimRight(s, "\n")} // as a YAML block or a here document ends
	for p.at < len(p.text) {
		if err := p.next(); err != nil {
			return Command{}, err
		}
	}
	p.endWord()
	switch {
	case len(p.words) == 0:
		return Command{}, errors.New("the command is empty")
	case p.words[0] == "":
		return Command{}, errors.New("the command's first word, the program, is empty")
	}
	return Command{argv: p.words}, nil
}

type parser struct {
	text   string
	at     int // of the byte that is read next
	words  []string
	word   strings.Builder
	inWord bool // an empty '' makes a word too
}

// next reads a blank, a quoted part, or one character of a word.
func (p *parser) next() error {
	c := p.text[p.at]
	switch {
	case c == ' ' || c == '\t':
		p.endWord()
		p.at++
		return nil
	case c == '\'':
		return p.literal()
	case c == '"':
		return p.quoted()
	case c == '\\':
		return p.escaped()
	case p.needsShell(c):
		return p.shellError(c)
	}
	p.keep(c)
	return nil
}

func (p *parser) keep(c byte) {
	p.inWord = true
	p.word.WriteByte(c)
	p.at++
}

func (p *parser) endWord() {
	if p.inWord {
		p.words = append(p.words, p.word.String())
	}
	p.word.Reset()
	p.inWord = false
}

// literal reads '…'.
func (p *parser) literal() error {
	end := strings.IndexByte(p.text[p.at+1:], '\'')
	if end < 0 {
		return p.unclosed(p.at)
	}
	p.word.WriteString(p.text[p.at+1 : p.at+1+end])
	p.inWord = true
	p.at += end + 2
	return nil
}

// quoted reads "…".
func (p *parser) quoted() error {
	start := p.at
	p.inWord = true
	for p.at++; p.at < len(p.text); {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return nil
		case '$', '`':
			return p.shellError(c)
		case '\\':
			if p.at+1 < len(p.text) && strings.IndexByte("\"\\$`\n", p.text[p.at+1]) >= 0 {
				if err := p.escaped(); err != nil {
					return err
				}
				continue
			}
			p.keep(c)
		default:
			p.keep(c)
		}
	}
	return p.unclosed(start)
}

// escaped reads a backslash and the character that it takes the meaning from.
func (p *parser) escaped() error {
	if p.at+1 == len(p.text) {
		return errors.New("the command ends in a backslash that nothing follows")
	}
	p.at++
	if p.text[p.at] == '\n' { // sh would join the lines
		return p.shellError('\n')
	}
	p.keep(p.text[p.at])
	return nil
}

// needsShell reports whether c, standing outside quotes, would be more than itself to sh.
func (p *parser) needsShell(c byte) bool {
	switch c {
	case '|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '[', '\n':
		return true
	case '~', '#':
		return !p.inWord
	case '=':
		return len(p.words) == 0 // it would set a variable
	}
	return false
}

func (p *parser) shellError(c byte) error {
	what := string(c)
	if c == '\n' {
		what = "a line's end"
	}
	return fmt.Errorf("no shell runs the command, but one would be needed for %s at byte %d: write sh -c '…' for a shell, or '…' around what is meant literally",
		what, p.at+1)
}

func (p *parser) unclosed(start int) error {
	return fmt.Errorf("the quote %c at byte %d of the command is not closed", p.text[start], start+1)
}
