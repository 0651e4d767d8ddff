package phpsource

import (
	"regexp"
	"strings"
)

type tokenKind uint8

const (
	tEnd      tokenKind = iota
	tUnknown            // what is not known here: text says what; nothing follows
	tRefused            // what is not PHP, likewise
	tVariable           // text without the dollar sign
	tName               // identifier or keyword, perhaps with a leading backslash
	tNumber             // text as written
	tString             // text after its escapes
	tTemplate           // parts
	tCast               // text is the type, lower case
	tOperator           // also brackets, and `;` for `?>`
)

type token struct {
	kind  tokenKind
	text  string
	line  int
	parts []part // of a template
}

// part of an interpolated string: text, or the tokens of a variable with what follows it.
type part struct {
	text string
	code []token
}

// lexer turns source into tokens. It panics with unknownToken, which ends the tokens.
type lexer struct {
	src    string
	pos    int
	line   int
	tokens []token
}

type unknownToken struct {
	kind tokenKind
	why  string
}

var (
	reNumber  = regexp.MustCompile(`^(?:0[xX][0-9A-Fa-f_]+|0[bBoO][0-9_]+|(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9][0-9_]*\.?(?:[eE][+-]?[0-9]+)?)`)
	reCast    = regexp.MustCompile(`^\([ \t]*([A-Za-z]+)[ \t]*\)`)
	operators = strings.Fields(`<=> **= ... <<= >>= === !== ??= ?-> => -> :: ++ -- == != <> <= >= && || ?? += -= *= /= .= %= &= |= ^= << >> **`)
	casts     = map[string]string{
		"int": "int", "integer": "int", "bool": "bool", "boolean": "bool", "float": "float", "double": "float",
		"string": "string", "array": "array", "object": "object", "real": "gone", "binary": "gone", "unset": "gone",
	}
)

// tokens lexes a whole file. Before tEnd it may end with tUnknown or tRefused.
func tokens(src string) []token {
	l := &lexer{src: src, line: 1}
	func() {
		defer func() {
			if p := recover(); p != nil {
				unknown, ok := p.(unknownToken)
				if !ok {
					panic(p)
				}
				l.emit(unknown.kind, unknown.why, l.line)
			}
		}()
		l.page()
	}()
	l.emit(tEnd, "", l.line)
	return l.tokens
}

func (l *lexer) fail(why string) { panic(unknownToken{tUnknown, why}) }

// refuse is fail for what PHP refuses, too.
func (l *lexer) refuse(why string) { panic(unknownToken{tRefused, why}) }

func (l *lexer) emit(kind tokenKind, text string, line int) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, line: line})
}

// advance moves over n bytes and counts their lines.
func (l *lexer) advance(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.line += strings.Count(s, "\n")
	l.pos += n
	return s
}

func (l *lexer) rest() string { return l.src[l.pos:] }

// near is the rest of the source, as far as a number, a cast or an escape can reach: regular
// expressions are slow on a long text.
func (l *lexer) near() string { return l.src[l.pos:min(len(l.src), l.pos+400)] }

func (l *lexer) has(prefix string) bool { return strings.HasPrefix(l.rest(), prefix) }

// label is the identifier at the start of s, "" if there is none.
func label(s string) string {
	n := 0
	for n < len(s) && labelByte(s[n]) && (n > 0 || s[n] < '0' || s[n] > '9') {
		n++
	}
	return s[:n]
}

func labelByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// page lexes a file: PHP from its first byte, and nothing but white space between `?>` and the next
// `<?php`.
func (l *lexer) page() {
	for first := true; ; first = false {
		i := strings.IndexByte(l.rest(), '<')
		if i < 0 {
			i = len(l.rest())
		}
		text := l.advance(i)
		if first && text != "" || strings.Trim(text, " \t\r\n") != "" {
			l.fail("has text outside <?php … ?>")
		}
		if l.pos == len(l.src) {
			return
		}
		if strings.TrimPrefix(strings.TrimPrefix(text, "\r"), "\n") != "" {
			l.emit(tOperator, ";", l.line) // a statement of its own
		}
		tag := l.near()
		switch {
		case len(tag) < 5 || !strings.EqualFold(tag[:5], "<?php"):
			l.fail("has text outside <?php … ?>")
		case len(tag) > 5 && !strings.Contains(" \t\r\n", tag[5:6]):
			l.fail("has text outside <?php … ?>")
		}
		l.advance(5)
		if !l.code() {
			return
		}
	}
}

// code lexes PHP up to `?>`; it returns false at the end of the file.
func (l *lexer) code() bool {
	for {
		l.space()
		switch {
		case l.pos == len(l.src):
			return false
		case l.has("?>"):
			l.emit(tOperator, ";", l.line)
			l.advance(2)
			return true
		}
		l.one()
	}
}

// one lexes one token.
func (l *lexer) one() {
	rest, line := l.rest(), l.line
	switch c := rest[0]; {
	case c == '$' && label(rest[1:]) != "":
		name := label(rest[1:])
		l.advance(1 + len(name))
		l.emit(tVariable, name, line)
		return
	case c == '\'' || c == '"':
		l.quoted(c)
		return
	case c == '`':
		l.fail("runs a command in backticks")
	case l.has("<<<"):
		l.fail("has a heredoc")
	case c == '(':
		if m := reCast.FindStringSubmatch(l.near()); m != nil && casts[strings.ToLower(m[1])] != "" {
			l.advance(len(m[0]))
			if casts[strings.ToLower(m[1])] == "gone" {
				l.fail("has a cast that PHP 8 does not know")
			}
			l.emit(tCast, casts[strings.ToLower(m[1])], line)
			return
		}
	case c >= '0' && c <= '9' || c == '.':
		if m := reNumber.FindString(l.near()); m != "" {
			l.advance(len(m))
			l.emit(tNumber, m, line)
			return
		}
	default:
		bare := strings.TrimPrefix(rest, `\`)
		if name := label(bare); name != "" {
			if strings.HasPrefix(bare[len(name):], `\`) {
				l.fail("uses a namespace")
			}
			if len(bare) < len(rest) && (reserved[strings.ToLower(name)] || strings.HasPrefix(name, "__")) {
				l.fail("uses a namespace") // \true is a constant, \isset has no meaning
			}
			l.emit(tName, l.advance(len(rest)-len(bare)+len(name)), line)
			return
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(tOperator, l.advance(len(op)), line)
			return
		}
	}
	if rest[0] < ' ' || rest[0] >= 0x7f {
		l.refuse("has a character that is not PHP")
	}
	l.emit(tOperator, l.advance(1), line)
}

// space skips white space and comments. A `//` or `#` comment ends before `?>`.
func (l *lexer) space() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			l.advance(1)
		case l.has("#["):
			l.fail("has an attribute") // in PHP 7 it is a comment
		case c == '#' || l.has("//"):
			rest := l.rest()
			end := len(rest)
			if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
				end = i
			}
			if i := strings.Index(rest[:end], "?>"); i >= 0 {
				l.advance(i)
				return
			}
			l.advance(end)
		case l.has("/*"):
			i := strings.Index(l.rest()[2:], "*/")
			if i < 0 {
				l.refuse("has a comment that does not end")
			}
			l.advance(i + 4)
		default:
			return
		}
	}
}
