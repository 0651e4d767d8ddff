package phpsource

import (
	"regexp"
	"strings"
)

type tokenKind uint8

const (
	tEnd      tokenKind = iota
	tVariable           // text without the dollar sign
	tName               // identifier or keyword; a leading backslash is dropped
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
	match int    // index of the closing bracket of an opening one
	parts []part // of a template
}

// part of an interpolated string: text, or the tokens of an expression.
type part struct {
	text string
	code []token
}

// lexer turns source into tokens. It panics with *SyntaxError; Parse recovers.
type lexer struct {
	file   string
	src    string
	pos    int
	line   int
	depth  int
	tokens []token
}

var (
	reNumber  = regexp.MustCompile(`^(?:0[xX][0-9A-Fa-f_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9][0-9_]*\.?(?:[eE][+-]?[0-9]+)?)`)
	reCast    = regexp.MustCompile(`^\([ \t]*([A-Za-z]+)[ \t]*\)`)
	operators = strings.Fields(`<=> **= ... <<= >>= === !== ??= ?-> => -> :: ++ -- == != <> <= >= && || ?? += -= *= /= .= %= &= |= ^= << >> **`)
	casts     = map[string]string{
		"int": "int", "integer": "int", "bool": "bool", "boolean": "bool", "float": "float", "double": "float", "real": "float",
		"string": "string", "binary": "string", "array": "array", "object": "object", "unset": "unset",
	}
)

func (l *lexer) fail(problem string) {
	panic(&SyntaxError{Position{l.file, l.line}, problem})
}

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

// near is the rest as far as a number, a cast or an escape can reach: regular expressions are slow on a long text.
func (l *lexer) near() string { return l.src[l.pos:min(len(l.src), l.pos+400)] }

// label is the identifier that s starts with, "" when it starts with none.
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

// qualified is a name with its namespace.
func qualified(s string) string {
	n := len(label(strings.TrimPrefix(s, `\`)))
	if n == 0 {
		return ""
	}
	n += len(s) - len(strings.TrimPrefix(s, `\`))
	for n < len(s) && s[n] == '\\' {
		part := label(s[n+1:])
		if part == "" {
			break
		}
		n += 1 + len(part)
	}
	return s[:n]
}

func (l *lexer) has(prefix string) bool { return strings.HasPrefix(l.src[l.pos:], prefix) }

// page lexes a whole file: text outside `<?php … ?>` is dropped.
func (l *lexer) page() []token {
	for {
		i := strings.Index(l.rest(), "<?")
		if i < 0 {
			break
		}
		l.advance(i + 2)
		switch {
		case len(l.rest()) >= 3 && strings.EqualFold(l.rest()[:3], "php"):
			l.advance(3)
		case l.has("="):
			l.advance(1)
			l.emit(tName, "echo", l.line)
		case l.has("xml"):
			continue
		}
		l.code("")
	}
	l.emit(tEnd, "", l.line)
	pair(l)
	return l.tokens
}

// code lexes PHP until `?>`, the end, or - inside a string - the closing bracket given by until, which is consumed.
func (l *lexer) code(until string) {
	for open := 0; ; {
		l.space()
		if l.pos >= len(l.src) {
			if until != "" {
				l.fail("an expression inside a string does not end")
			}
			return
		}
		line := l.line
		switch c := l.src[l.pos]; {
		case until == "" && l.has("?>"):
			l.advance(2)
			l.emit(tOperator, ";", line)
			return
		case until != "" && open == 0 && l.has(until):
			l.advance(1)
			return
		case c == '{' || c == '}':
			open += map[byte]int{'{': 1, '}': -1}[c]
			l.emit(tOperator, l.advance(1), line)
		default:
			if stop := l.one(c, line); stop {
				return
			}
		}
	}
}

// one lexes one token that is no brace. It reports __halt_compiler, after which nothing is PHP any more.
func (l *lexer) one(c byte, line int) (stop bool) {
	rest := l.rest()
	switch {
	case c == '$':
		if m := label(rest[1:]); m != "" {
			l.advance(1 + len(m))
			l.emit(tVariable, m, line)
			return false
		}
	case c == '\'' || c == '"' || c == '`':
		l.quoted(c)
		return false
	case (c == 'b' || c == 'B') && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"'):
		l.advance(1)
		l.quoted(l.src[l.pos])
		return false
	case l.has("<<<") && l.heredoc():
		return false
	case c == '(':
		if m := reCast.FindStringSubmatch(l.near()); m != nil && casts[strings.ToLower(m[1])] != "" {
			l.advance(len(m[0]))
			l.emit(tCast, casts[strings.ToLower(m[1])], line)
			return false
		}
	case c >= '0' && c <= '9' || c == '.':
		if m := reNumber.FindString(l.near()); m != "" {
			l.advance(len(m))
			l.emit(tNumber, m, line)
			return false
		}
	default:
		if m := qualified(rest); m != "" {
			l.advance(len(m))
			if strings.EqualFold(m, "__halt_compiler") {
				l.pos = len(l.src)
				return true
			}
			l.emit(tName, strings.TrimPrefix(m, `\`), line)
			return false
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(tOperator, l.advance(len(op)), line)
			return false
		}
	}
	l.emit(tOperator, l.advance(1), line)
	return false
}

// space skips white space and the three kinds of comments. A `//` or `#` comment ends before `?>`.
func (l *lexer) space() {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			l.advance(1)
		case c == '#' || l.has("//"):
			rest := l.rest()
			end := len(rest)
			if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
				end = i
			}
			if i := strings.Index(rest[:end], "?>"); i >= 0 {
				end = i
			}
			l.advance(end)
			if l.has("?>") {
				return
			}
		case l.has("/*"):
			i := strings.Index(l.rest()[2:], "*/")
			if i < 0 {
				l.fail("a comment does not end")
			}
			l.advance(i + 4)
		default:
			return
		}
	}
}

// pair finds the closing bracket of every opening one, so that the reader can step over what it does not read.
func pair(l *lexer) {
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}
	var open []int
	for i, t := range l.tokens {
		if t.kind != tOperator {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			if open = append(open, i); len(open) > maxDepth {
				panic(&SyntaxError{Position{l.file, t.line}, "brackets are nested too deeply"})
			}
		case ")", "]", "}":
			if len(open) == 0 || closing[l.tokens[open[len(open)-1]].text] != t.text {
				panic(&SyntaxError{Position{l.file, t.line}, "a closing bracket has no opening one"})
			}
			l.tokens[open[len(open)-1]].match = i
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		panic(&SyntaxError{Position{l.file, l.tokens[open[0]].line}, "a bracket is not closed"})
	}
}
