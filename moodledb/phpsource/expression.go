package phpsource

import (
	"path"
	"strconv"
	"strings"
)

// precedence of PHP 8's binary operators; a higher one binds tighter. Assignment (4) belongs to the place on its left.
var precedence = map[string]int{
	"or": 1, "xor": 2, "and": 3, "?": 5, "??": 6, "||": 7, "&&": 8, "|": 9, "^": 10, "&": 11,
	"==": 12, "!=": 12, "<>": 12, "===": 12, "!==": 12, "<=>": 12, "<": 13, "<=": 13, ">": 13, ">=": 13,
	".": 14, "<<": 15, ">>": 15, "+": 16, "-": 16, "*": 17, "/": 17, "%": 17, "instanceof": 19, "**": 20,
}

const (
	assignment = 4
	not        = 18
	sign       = 20
)

var assignments = map[string]bool{
	"=": true, ".=": true, "+=": true, "-=": true, "*=": true, "/=": true, "%=": true, "??=": true,
	"**=": true, "&=": true, "|=": true, "^=": true, "<<=": true, ">>=": true,
}

// expression reads what binds at least as tight as min.
func (r *reader) expression(min int) Value {
	r.enter()
	v := r.unary()
	for {
		t := r.peek()
		op := strings.ToLower(t.text)
		if t.kind != tOperator && (t.kind != tName || op != "or" && op != "xor" && op != "and" && op != "instanceof") {
			break
		}
		p := precedence[op]
		if p == 0 || p < min {
			break
		}
		r.next()
		switch op {
		case "?":
			v = r.ternary(v)
		case "??":
			v = r.coalesce(v)
		case "&&", "and":
			v = r.logical(v, false, p)
		case "||", "or":
			v = r.logical(v, true, p)
		case "**":
			v = r.binary(op, v, r.expression(p))
		default:
			v = r.binary(op, v, r.expression(p+1))
		}
	}
	r.depth--
	return v
}

// doubt is the mode of what is evaluated only when v is as wanted.
func doubt(v Value, wanted bool) mode {
	switch {
	case v.kind == Unevaluated && v.web:
		return requested
	case v.kind == Unevaluated:
		return undecided
	case v.Truth() == wanted:
		return running
	}
	return skipping
}

func (r *reader) ternary(condition Value) Value {
	yes, no := condition, Value{}
	if !r.is(":") {
		r.under(doubt(condition, true), func() { yes = r.expression(0) })
	}
	r.expect(":")
	r.under(doubt(condition, false), func() { no = r.expression(precedence["?"] + 1) })
	switch {
	case condition.kind == Unevaluated:
		return condition
	case condition.Truth():
		return yes
	}
	return no
}

func (r *reader) coalesce(v Value) Value {
	m := skipping
	switch v.kind {
	case Null:
		m = running
	case Unevaluated:
		m = doubt(v, true)
	}
	var other Value
	r.under(m, func() { other = r.expression(precedence["??"]) })
	if v.kind == Null {
		return other
	}
	return v
}

// logical is `&&` and `||`: decisive is the value of one side that decides alone.
func (r *reader) logical(left Value, decisive bool, p int) Value {
	var right Value
	r.under(doubt(left, !decisive), func() { right = r.expression(p + 1) })
	switch {
	case left.kind != Unevaluated && left.Truth() == decisive:
		return boolValue(decisive)
	case right.kind != Unevaluated && right.Truth() == decisive:
		return boolValue(decisive)
	case left.kind == Unevaluated:
		return left
	case right.kind == Unevaluated:
		return right
	}
	return boolValue(!decisive)
}

func (r *reader) unary() Value {
	t := r.peek()
	switch t.kind {
	case tVariable:
		return r.assignable()
	case tName:
		return r.suffixes(r.name())
	case tNumber:
		r.next()
		return numberValue(t.text)
	case tString:
		r.next()
		return r.suffixes(StringValue(t.text))
	case tTemplate:
		r.next()
		return r.suffixes(r.interpolate(t.parts))
	case tCast:
		r.next()
		return cast(t.text, r.expression(sign))
	case tOperator:
		return r.prefix(t)
	}
	giveUp("ends early")
	return Value{}
}

func (r *reader) prefix(t *token) Value {
	r.next()
	switch t.text {
	case "(":
		v := r.expression(0)
		r.expect(")")
		return r.suffixes(v)
	case "[":
		return r.suffixes(r.array(r.src.pos - 1))
	case "@":
		return r.expression(sign)
	case "!":
		if v := r.expression(not); v.kind != Unevaluated {
			return boolValue(!v.Truth())
		} else {
			return v
		}
	case "-":
		return r.binary("*", r.expression(sign), intValue(-1))
	case "+":
		return r.binary("*", r.expression(sign), intValue(1))
	case "++", "--":
		if p := r.place(); p != nil {
			r.assign(p, "=", unevaluated("is counted"))
		}
		return unevaluated("is counted")
	case "`":
		return unevaluated("runs a command")
	}
	giveUp("is written in a way the reader does not know")
	return Value{}
}

// assignable reads a variable and, where one follows, the assignment to it.
func (r *reader) assignable() Value {
	p, v := r.variable()
	t := r.peek()
	switch {
	case t.kind != tOperator || p == nil:
	case assignments[t.text]:
		r.next()
		reference := t.text == "=" && r.accept("&")
		why := r.guarded(func() { v = r.expression(assignment) })
		switch {
		case why != "":
			v = unevaluated(why)
		case reference:
			v = unevaluated("is a reference")
		}
		v = r.assign(p, t.text, v)
		if why != "" {
			giveUp(why)
		}
		return v
	case t.text == "++" || t.text == "--":
		r.next()
		r.assign(p, "=", unevaluated("is counted"))
		return unevaluated("is counted")
	}
	if p != nil {
		v = r.read(p)
	}
	return v
}

// suffixes reads `[key]`, `->name` and calls behind a value that is no variable.
func (r *reader) suffixes(v Value) Value {
	for {
		switch {
		case r.is("("):
			v = r.unknownCall()
		case r.is("::"):
			giveUp("uses a class")
		case r.is("["), r.is("->"), r.is("?->"):
			s := r.followed()
			switch {
			case r.is("("):
			case s.push:
				giveUp("reads [] of an array")
			case s.unknown, v.kind == String:
				v = unevaluated("takes an unknown part")
			default:
				v = v.Get(s.key)
			}
		default:
			return v
		}
	}
}

// interpolate puts a double-quoted string or heredoc together.
func (r *reader) interpolate(parts []part) Value {
	text := StringValue("")
	for _, p := range parts {
		v := StringValue(p.text)
		if p.code != nil {
			r.within(&source{path: r.src.path, tokens: p.code}, func() {
				v = r.expression(0)
				if r.peek().kind != tEnd {
					giveUp("is written in a way the reader does not know")
				}
			})
		}
		text = r.binary(".", text, v)
	}
	return text
}

// numberValue reads a number literal. An integer that does not fit is a float, as in PHP.
func numberValue(text string) Value {
	text = strings.ReplaceAll(text, "_", "")
	lower := strings.ToLower(text)
	octal := len(text) > 1 && text[0] == '0' && strings.Trim(text, "01234567") == ""
	if strings.HasPrefix(lower, "0x") || strings.HasPrefix(lower, "0b") || strings.HasPrefix(lower, "0o") || octal {
		if n, err := strconv.ParseInt(text, 0, 64); err == nil {
			return intValue(n)
		}
		return unevaluated("is a number too large")
	}
	if strings.Trim(text, "0123456789") == "" {
		if len(text) > 1 && text[0] == '0' {
			giveUp("is no number")
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return intValue(n)
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // the lexer's numbers are numbers, and out of range gives ±Inf, as in PHP
	return floatValue(f)
}

// directory is `__DIR__`.
func (r *reader) directory() string { return path.Dir(r.src.path) }
