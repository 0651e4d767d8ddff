package phpsource

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	reInteger = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)`)
	reUnicode = regexp.MustCompile(`^\\u\{([0-9A-Fa-f]+)\}`)
	reOctal   = regexp.MustCompile(`^\\([0-7]{1,3})`)
	reHex     = regexp.MustCompile(`^\\x([0-9A-Fa-f]{1,2})`)
)

// quoted lexes a string in single or double quotes.
func (l *lexer) quoted(quote byte) {
	line := l.line
	l.advance(1)
	if quote == '"' {
		l.emitTemplate(l.template(), line)
		return
	}
	var text strings.Builder
	for {
		i := strings.IndexAny(l.rest(), `\'`)
		if i < 0 {
			l.refuse("has a string that does not end")
		}
		text.WriteString(l.advance(i))
		switch {
		case l.has(`\\`) || l.has(`\'`):
			text.WriteByte(l.advance(2)[1])
		case l.has(`\`):
			text.WriteString(l.advance(1))
		default:
			l.advance(1)
			l.emit(tString, text.String(), line)
			return
		}
	}
}

// emitTemplate emits a string with its parts, as a plain string if nothing is interpolated.
func (l *lexer) emitTemplate(parts []part, line int) {
	switch {
	case len(parts) == 0:
		l.emit(tString, "", line)
	case len(parts) == 1 && parts[0].code == nil:
		l.emit(tString, parts[0].text, line)
	default:
		l.tokens = append(l.tokens, token{kind: tTemplate, line: line, parts: parts})
	}
}

// template reads the inside of a double-quoted string up to its quote.
func (l *lexer) template() (parts []part) {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	for l.pos < len(l.src) {
		var code []token
		switch c := l.src[l.pos]; {
		case c == '"':
			l.advance(1)
			flush()
			return parts
		case c == '\\':
			text.WriteString(l.escape())
			continue
		case l.has("{$"):
			l.advance(1)
			code = l.braces()
		case l.has("${"):
			l.fail("has ${ inside a string")
		case c == '$' && label(l.rest()[1:]) != "":
			code = l.simple()
		default:
			text.WriteString(l.advance(1))
			continue
		}
		flush()
		parts = append(parts, part{code: code})
	}
	l.refuse("has a string that does not end")
	return nil
}

// braces lexes the code in braces inside a string, up to the closing one.
func (l *lexer) braces() []token {
	in := &lexer{src: l.src, pos: l.pos, line: l.line}
	for {
		in.space()
		switch {
		case in.pos == len(in.src) || in.has("{") || in.has("?>"):
			l.fail("has an expression inside a string")
		case in.has("}"):
			in.advance(1)
			in.emit(tEnd, "", in.line)
			l.pos, l.line = in.pos, in.line
			return in.tokens
		case in.has(`"`):
			l.fail("has a string inside a string") // so that strings are not nested without limit
		}
		in.one()
	}
}

// simple lexes `$name`, `$name->property` or `$name[key]` inside a string.
func (l *lexer) simple() []token {
	line := l.line
	name := label(l.rest()[1:])
	l.advance(1 + len(name))
	code := []token{{kind: tVariable, text: name, line: line}}
	op := func(text string) token { return token{kind: tOperator, text: text, line: line} }
	switch property := strings.TrimPrefix(l.rest(), "->"); {
	case l.has("?->"):
		l.fail("has ?-> inside a string") // in PHP 7 it is text
	case l.has("->") && label(property) != "":
		l.advance(2 + len(label(property)))
		code = append(code, op("->"), token{kind: tName, text: label(property), line: line})
	case l.has("["):
		index, n := simpleIndex(l.rest()[1:])
		if n == 0 {
			l.fail("has a [ behind a variable inside a string")
		}
		l.advance(n + 2)
		index.line = line
		code = append(code, op("["), index, op("]"))
	}
	return append(code, token{kind: tEnd, line: line})
}

// simpleIndex is the unquoted key, number or variable before a closing bracket, and its length.
func simpleIndex(s string) (index token, length int) {
	switch {
	case strings.HasPrefix(s, "$"):
		index = token{kind: tVariable, text: label(s[1:])}
		length = 1 + len(index.text)
	case label(s) != "":
		index = token{kind: tString, text: label(s)}
		length = len(index.text)
	default:
		index = token{kind: tString, text: reInteger.FindString(s[:min(len(s), 40)])}
		length = len(index.text)
	}
	if index.text == "" || !strings.HasPrefix(s[length:], "]") {
		return token{}, 0
	}
	return index, length
}

// escape reads one escape sequence of a double-quoted string; an unknown one means itself.
func (l *lexer) escape() string {
	rest := l.near()
	if m := reOctal.FindStringSubmatch(rest); m != nil {
		l.advance(len(m[0]))
		n, _ := strconv.ParseUint(m[1], 8, 16)
		return string([]byte{byte(n)}) // PHP drops the ninth bit
	}
	if m := reHex.FindStringSubmatch(rest); m != nil {
		l.advance(len(m[0]))
		n, _ := strconv.ParseUint(m[1], 16, 8)
		return string([]byte{byte(n)})
	}
	if strings.HasPrefix(rest, `\u{`) {
		m := reUnicode.FindStringSubmatch(rest)
		if m == nil {
			l.refuse("has an escape that is not a Unicode character")
		}
		n, err := strconv.ParseUint(m[1], 16, 31)
		if err != nil || !utf8.ValidRune(rune(n)) { // PHP makes bytes of half a character
			l.fail("has an escape that is not a Unicode character")
		}
		l.advance(len(m[0]))
		return string(rune(n))
	}
	if len(rest) < 2 {
		l.refuse("has a string that does not end")
	}
	if i := strings.IndexByte(`ntrvef\$"`, rest[1]); i >= 0 {
		l.advance(2)
		return "\n\t\r\v\x1b\f\\$\""[i : i+1]
	}
	return l.advance(2) // a { after it opens nothing
}
