package phpsource

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	reHeredoc = regexp.MustCompile(`^<<<[ \t]*(?:'([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)'|"([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)"|([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*))(?:\r\n|\n|\r)`)
	reInteger = regexp.MustCompile(`^-?[0-9]+`)
	reUnicode = regexp.MustCompile(`^\\u\{([0-9A-Fa-f]+)\}`)
	reOctal   = regexp.MustCompile(`^\\([0-7]{1,3})`)
	reHex     = regexp.MustCompile(`^\\x([0-9A-Fa-f]{1,2})`)
)

// quoted lexes a string in single or double quotes, or what a shell would run (which nothing here evaluates).
func (l *lexer) quoted(quote byte) {
	line := l.line
	l.advance(1)
	if quote != '\'' {
		parts := l.template(quote)
		l.emitTemplate(parts, line)
		if quote == '`' {
			l.tokens[len(l.tokens)-1] = token{kind: tOperator, text: "`", line: line}
		}
		return
	}
	var text strings.Builder
	for {
		i := strings.IndexAny(l.rest(), `\'`)
		if i < 0 {
			l.fail("a string does not end")
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

// emitTemplate emits a string with its parts, as a plain one where nothing is to be interpolated.
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

// template reads the inside of a double-quoted string up to its quote, or of a heredoc (quote 0) up to the end of the source.
func (l *lexer) template(quote byte) (parts []part) {
	if l.depth++; l.depth > maxDepth {
		l.fail("strings are nested too deeply")
	}
	defer func() { l.depth-- }()
	var text strings.Builder
	add := func(code []token) {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
		if code != nil {
			parts = append(parts, part{code: code})
		}
	}
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case quote != 0 && c == quote:
			l.advance(1)
			add(nil)
			return parts
		case c == '\\':
			text.WriteString(l.escape(quote))
		case l.has("{$"):
			l.advance(1)
			add(l.inner("}"))
		case l.has("${"):
			l.advance(2)
			if name := label(l.rest()); name != "" && strings.HasPrefix(l.rest()[len(name):], "}") {
				add([]token{{kind: tVariable, text: name, line: l.line}, {kind: tEnd, line: l.line}})
				l.advance(len(name) + 1)
				break
			}
			l.inner("}")
			add([]token{{kind: tOperator, text: "$", line: l.line}, {kind: tEnd, line: l.line}}) // a variable variable
		default:
			if code := l.simple(); code != nil {
				add(code)
			} else {
				text.WriteString(l.advance(1))
			}
		}
	}
	if quote != 0 {
		l.fail("a string does not end")
	}
	add(nil)
	return parts
}

// inner lexes the expression in braces inside a string.
func (l *lexer) inner(until string) []token {
	in := &lexer{file: l.file, src: l.src, pos: l.pos, line: l.line, depth: l.depth}
	in.code(until)
	in.emit(tEnd, "", in.line)
	pair(in)
	l.pos, l.line = in.pos, in.line
	return in.tokens
}

// simple lexes `$name`, `$name->property` or `$name[key]` inside a string; nil when none stands here.
func (l *lexer) simple() []token {
	if !l.has("$") || label(l.rest()[1:]) == "" {
		return nil
	}
	line := l.line
	name := label(l.rest()[1:])
	l.advance(1 + len(name))
	code := []token{{kind: tVariable, text: name, line: line}}
	for _, arrow := range []string{"->", "?->"} {
		if len(code) > 1 || !l.has(arrow) { // one level only
			continue
		}
		if property := label(l.rest()[len(arrow):]); property != "" {
			l.advance(len(arrow) + len(property))
			code = append(code, token{kind: tOperator, text: "->", line: line}, token{kind: tName, text: property, line: line})
		}
	}
	if len(code) == 1 && l.has("[") {
		if index, n := simpleIndex(l.rest()[1:]); n > 0 {
			l.advance(n + 2)
			index.line = line
			code = append(code, token{kind: tOperator, text: "[", line: line, match: 3}, index, token{kind: tOperator, text: "]", line: line})
		}
	}
	return append(code, token{kind: tEnd, line: line})
}

// simpleIndex is the unquoted key, number or variable that stands before a closing bracket, and how long it is.
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

// escape reads one escape sequence of a double-quoted string or heredoc; an unknown one stands for itself.
func (l *lexer) escape(quote byte) string {
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
	if m := reUnicode.FindStringSubmatch(rest); m != nil {
		n, err := strconv.ParseUint(m[1], 16, 32)
		if err != nil || n > 0x10FFFF {
			l.fail("an escape is no Unicode character")
		}
		l.advance(len(m[0]))
		return string(rune(n))
	}
	if len(rest) > 1 {
		c := rest[1]
		if i := strings.IndexByte(`ntrvef\$`, c); i >= 0 {
			l.advance(2)
			return "\n\t\r\v\x1b\f\\$"[i : i+1]
		}
		if quote != 0 && c == quote {
			return l.advance(2)[1:]
		}
	}
	return l.advance(1)
}

// heredoc lexes a heredoc or nowdoc with PHP 7.3's rules: the closing label may be indented, and its indentation is taken from every line.
func (l *lexer) heredoc() bool {
	m := reHeredoc.FindStringSubmatch(l.near())
	if m == nil {
		return false
	}
	label, line := m[1]+m[2]+m[3], l.line
	l.advance(len(m[0]))
	body, indent, end := l.untilLabel(label)
	first := l.line
	l.advance(end)
	body = l.unindent(body, indent, first)
	if m[1] != "" {
		l.emit(tString, body, line)
		return true
	}
	in := &lexer{file: l.file, src: body, line: first, depth: l.depth}
	l.emitTemplate(in.template(0), line)
	return true
}

// untilLabel finds the line that starts with the label: the text before it, the label's indentation, and the offset behind the label.
func (l *lexer) untilLabel(label string) (body, indent string, end int) {
	rest := l.rest()
	for start := 0; start <= len(rest); {
		row := rest[start:]
		trimmed := strings.TrimLeft(row, " \t")
		if after, ok := strings.CutPrefix(trimmed, label); ok && (after == "" || !labelByte(after[0])) {
			body := strings.TrimSuffix(strings.TrimSuffix(rest[:start], "\n"), "\r")
			return body, row[:len(row)-len(trimmed)], len(rest) - len(after)
		}
		i := strings.IndexAny(row, "\n\r")
		if i < 0 {
			break
		}
		if row[i] == '\r' && i+1 < len(row) && row[i+1] == '\n' {
			i++
		}
		start += i + 1
	}
	l.fail("a heredoc does not end")
	return "", "", 0
}

func (l *lexer) unindent(body, indent string, first int) string {
	if indent == "" {
		return body
	}
	lines := strings.Split(body, "\n")
	for i, row := range lines {
		switch {
		case strings.HasPrefix(row, indent):
			lines[i] = row[len(indent):]
		case strings.Trim(row, " \t\r") == "":
			lines[i] = strings.TrimLeft(row, " \t")
		default:
			l.line = first + i
			l.fail("a line of a heredoc is indented less than its end")
		}
	}
	return strings.Join(lines, "\n")
}
