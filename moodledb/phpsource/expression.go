package phpsource

import (
	"strconv"
	"strings"
)

// precedence of PHP 8's binary operators; a higher one binds tighter. Assignment (4) belongs to the
// place on its left.
var precedence = map[string]int{
	"or": 1, "and": 3, "?": 5, "??": 6, "||": 7, "&&": 8, "|": 9, "^": 10, "&": 11,
	"==": comparison, "!=": comparison, "<>": comparison, "===": comparison, "!==": comparison, "<": 13, "<=": 13, ">": 13, ">=": 13,
	".": 14, "+": 16, "-": 16, "*": 17, "/": 17, "%": 17,
}

const (
	assignment = 4
	comparison = 12 // this one and 13 are not associative
	not        = 18
	sign       = 20
)

var assignments = map[string]string{"=": "", ".=": ".", "+=": "+", "-=": "-", "*=": "*", "??=": "??", "|=": "|", "&=": "&"}

// expression reads operators that bind at least as tightly as min.
func (r *reader) expression(min int) Value {
	r.enter()
	v := r.unary()
	r.sum = false
	for last := ""; ; {
		t := r.peek()
		op := strings.ToLower(t.text)
		if t.kind != tOperator && (t.kind != tName || op != "or" && op != "and") {
			break
		}
		p := precedence[op]
		if p == 0 || p < min {
			break
		}
		if p == precedence[last] && (p == comparison || p == comparison+1) || op == "?" && (last == "?" || last == "?:" && !elvis(r.src)) {
			r.unexpected() // PHP 8 refuses it
		}
		if op == "." && r.sum {
			r.unknown("has + or - beside . without brackets")
		}
		r.next()
		last = op
		switch op {
		case "?":
			if r.is(":") {
				last = "?:"
			}
			v = r.ternary(v)
		case "??":
			v = r.choice(v, v.kind != Null, p)
		case "&&", "and":
			v = r.logical(v, false, p)
		case "||", "or":
			v = r.logical(v, true, p)
		default:
			v = r.infix(op, v, p)
		}
		r.sum = op == "+" || op == "-"
	}
	r.depth--
	return v
}

// elvis says whether the next `?` is a `?:`.
func elvis(s *source) bool { return s.tokens[s.pos+1].text == ":" }

// infix reads the right side of an operator that needs both sides.
func (r *reader) infix(op string, left Value, p int) (v Value) {
	var right Value
	r.beside(func() { right = r.expression(p + 1) })
	if op == "." && r.sum {
		r.unknown("has + or - beside . without brackets") // in PHP 7 they bind equally
	}
	return r.binary(op, left, right)
}

func (r *reader) ternary(condition Value) Value {
	if r.accept(":") {
		return r.choice(condition, r.truth(condition), precedence["?"]+1)
	}
	holds := r.truth(condition)
	var yes, no Value
	r.skipping(!holds, func() { yes = r.expression(0) })
	r.expect(":")
	r.skipping(holds, func() { no = r.expression(precedence["?"] + 1) })
	if holds {
		return yes
	}
	return no
}

// choice is the left side if chosen, otherwise the expression that follows.
func (r *reader) choice(left Value, chosen bool, p int) Value {
	var other Value
	r.skipping(chosen, func() { other = r.expression(p) })
	if chosen {
		return left
	}
	return other
}

// logical is `&&` and `||`: decisive is the value with which one side alone decides.
func (r *reader) logical(left Value, decisive bool, p int) Value {
	decided := r.truth(left) == decisive
	var right Value
	r.skipping(decided, func() { right = r.expression(p + 1) })
	if decided {
		return BoolValue(decisive)
	}
	return BoolValue(r.truth(right))
}

// truth is PHP's (bool); for skipped code it is false.
func (r *reader) truth(v Value) bool {
	if v.kind == Number && !r.skip {
		r.unknown("decides by a number that is not known here")
	}
	return v.Truth()
}

// binary evaluates an operator of two values.
func (r *reader) binary(op string, a, b Value) Value {
	if r.skip {
		return Value{}
	}
	v, known := Value{}, false
	switch op {
	case ".":
		if known = a.kind < Array && b.kind < Array && a.kind != Number && b.kind != Number; known {
			x, y := a.Text(), b.Text()
			r.spend(len(x) + len(y))
			v = StringValue(x + y)
		}
	case "===", "!==":
		var same bool
		same, known = identical(a, b)
		v = BoolValue(same == (op == "==="))
	case "==", "!=", "<>":
		var equal bool
		equal, known = loose(a, b)
		v = BoolValue(equal == (op == "=="))
	case "<", "<=", ">", ">=":
		known = a.kind == Int && b.kind == Int
		v = BoolValue(ordered(op, a.num, b.num))
	default:
		v, known = arithmetic(op, a, b)
	}
	if !known {
		r.unknown("uses " + op + " on values of which it is not known here")
	}
	return v
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
		return r.number(t.text)
	case tString:
		r.next()
		return StringValue(t.text)
	case tTemplate:
		r.next()
		return r.interpolate(t.parts)
	case tCast:
		r.next()
		return r.known(cast(t.text, r.expression(sign)))
	case tOperator:
		return r.prefix(t.text)
	}
	r.unexpected()
	return Value{}
}

// known gives up if a result is not known.
func (r *reader) known(v Value, known bool) Value {
	if !known && !r.skip {
		r.unknown("converts a value in a way that is not known here")
	}
	return v
}

func (r *reader) prefix(op string) Value {
	switch op {
	case "(":
		r.next()
		pending := r.pending
		v := r.expression(0)
		r.pending = pending
		r.expect(")")
		return r.suffixes(v)
	case "[":
		r.next()
		return r.suffixes(r.array("]"))
	case "@":
		r.next()
		return r.expression(sign)
	case "!":
		r.next()
		return BoolValue(!r.truth(r.expression(not)))
	case "-":
		r.next()
		return r.binary("*", r.expression(sign), intValue(-1))
	case "~":
		r.next()
		return r.binary("^", r.expression(sign), intValue(-1))
	}
	if !strings.Contains(" & ++ -- + ... $ , :: ", " "+op+" ") { // those that PHP allows there
		panic(&ComputedError{Position: r.here(), Problem: "has " + op + " where a value must be", refused: true})
	}
	r.unexpected()
	return Value{}
}

// suffixes reads `[key]` after an array that is no variable.
func (r *reader) suffixes(v Value) Value {
	for r.accept("[") {
		var k Value
		r.beside(func() { k = r.expression(0) })
		r.expect("]")
		if r.skip {
			continue
		}
		name, ok := key(k)
		if v.kind != Array || !ok {
			r.unknown("takes a part of something that is not an array")
		}
		v = share(v.Get(name))
	}
	if r.is("->") || r.is("(") || r.is("::") || r.is("?->") {
		r.unexpected()
	}
	return v
}

// interpolate puts a double-quoted string together.
func (r *reader) interpolate(parts []part) Value {
	text := StringValue("")
	for _, p := range parts {
		v := StringValue(p.text)
		if p.code != nil {
			outer := r.src
			r.src = &source{path: outer.path, tokens: p.code}
			at := r.named()
			if r.peek().kind != tEnd {
				r.unknown("has an expression inside a string")
			}
			v = r.read(at)
			r.src = outer
		}
		text = r.binary(".", text, v)
	}
	return text
}

// number reads a number literal. One that is not a 64-bit integer is a float.
func (r *reader) number(text string) Value {
	digits := strings.TrimLeft(text, "0123456789")
	switch hex := len(text) > 1 && (text[1] == 'x' || text[1] == 'X'); {
	case strings.Contains(text, "_"), len(text) > 1 && strings.Contains("bBoO", text[1:2]):
		r.unknown("has a number that is not known here")
	case digits != "" && !hex:
		return Value{kind: Number}
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		r.unknown("has a number that is not known here")
	}
	return intValue(n)
}
