package phpsource

import (
	"math"
	"math/bits"
)

// binary evaluates an operator that always needs both sides. What PHP versions disagree about is Unevaluated.
func (r *reader) binary(op string, a, b Value) Value {
	for _, v := range []Value{a, b} {
		if v.kind == Unevaluated {
			return v
		}
	}
	switch op {
	case ".":
		if a.list != nil || b.list != nil {
			return unevaluated("makes a string of an array")
		}
		x, y := a.Text(), b.Text()
		r.spend(len(x) + len(y))
		return StringValue(x + y)
	case "===", "!==":
		if a.list != nil && b.list != nil {
			return unevaluated("compares arrays")
		}
		return boolValue((a.kind == b.kind && a.num == b.num && a.text == b.text) == (op == "==="))
	case "==", "!=", "<>":
		equal, known := loose(a, b)
		if !known {
			return unevaluated("compares values of different kinds")
		}
		return boolValue(equal == (op == "=="))
	case "<", "<=", ">", ">=":
		x, xok := numeric(a)
		y, yok := numeric(b)
		if !xok || !yok {
			return unevaluated("compares values that are no numbers")
		}
		return boolValue(ordered(op, x, y))
	case "xor":
		return boolValue(a.Truth() != b.Truth())
	case "+", "-", "*", "/", "%", "|", "&", "^":
		return arithmetic(op, a, b)
	}
	return unevaluated("uses an operator the reader does not know")
}

// loose is PHP 8's `==` for scalars.
func loose(a, b Value) (equal, known bool) {
	switch {
	case a.list != nil || b.list != nil:
		return false, false
	case a.kind == Null && b.kind == String || a.kind == String && b.kind == Null:
		return a.Text() == b.Text(), true
	case a.kind == Null || b.kind == Null || a.kind == Bool || b.kind == Bool:
		return a.Truth() == b.Truth(), true
	}
	x, xok := numeric(a)
	y, yok := numeric(b)
	if xok && yok {
		return ordered("==", x, y), true
	}
	return a.Text() == b.Text(), true
}

func ordered(op string, a, b Value) bool {
	if a.kind == Int && b.kind == Int {
		x, y := a.Int(), b.Int()
		return op == "==" && x == y || op == "<" && x < y || op == "<=" && x <= y || op == ">" && x > y || op == ">=" && x >= y
	}
	x, y := a.float(), b.float()
	return op == "==" && x == y || op == "<" && x < y || op == "<=" && x <= y || op == ">" && x > y || op == ">=" && x >= y
}

func (v Value) float() float64 {
	if v.kind == Float {
		return math.Float64frombits(v.num)
	}
	return float64(v.Int())
}

// arithmetic is evaluated for numbers and strings that are numbers; integers that overflow become floats.
func arithmetic(op string, a, b Value) Value {
	x, xok := operand(a)
	y, yok := operand(b)
	if !xok || !yok {
		return unevaluated("calculates with values that are no numbers")
	}
	if x.kind == Int && y.kind == Int {
		if v, ok := integers(op, x.Int(), y.Int()); ok {
			return v
		}
	}
	f, g := x.float(), y.float()
	switch {
	case op == "+":
		return floatValue(f + g)
	case op == "-":
		return floatValue(f - g)
	case op == "*":
		return floatValue(f * g)
	case op == "/" && g != 0:
		return floatValue(f / g)
	}
	return unevaluated("calculates what has no result")
}

// operand also takes the scalars PHP calculates with silently.
func operand(v Value) (Value, bool) {
	if v.kind == Null || v.kind == Bool {
		return intValue(v.Int()), true
	}
	return numeric(v)
}

// integers is false where the result is no integer.
func integers(op string, x, y int64) (Value, bool) {
	switch op {
	case "+":
		sum := x + y
		return intValue(sum), (sum > x) == (y > 0)
	case "-":
		difference := x - y
		return intValue(difference), (difference < x) == (y > 0)
	case "*":
		high, low := bits.Mul64(magnitude(x), magnitude(y))
		return intValue(x * y), high == 0 && low <= math.MaxInt64
	case "/":
		if y == 0 || x%y != 0 || x == math.MinInt64 {
			return Value{}, false
		}
		return intValue(x / y), true
	case "%":
		if y == 0 {
			return Value{}, false
		}
		if y == -1 {
			return intValue(0), true
		}
		return intValue(x % y), true
	case "|":
		return intValue(x | y), true
	case "&":
		return intValue(x & y), true
	case "^":
		return intValue(x ^ y), true
	}
	return Value{}, false // no operator of ours
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// cast is PHP's `(type)`.
func cast(kind string, v Value) Value {
	if v.kind == Unevaluated {
		return v
	}
	switch kind {
	case "int":
		if !v.fits() {
			return unevaluated("is a number too large")
		}
		return intValue(v.Int())
	case "bool":
		return boolValue(v.Truth())
	case "float":
		if v.kind == String {
			v = leadingNumber(v.text)
		}
		return floatValue(v.float())
	case "string":
		if v.list == nil {
			return StringValue(v.Text())
		}
	case "array", "object":
		return castList(kind, v)
	case "unset":
		return Value{}
	}
	return unevaluated("is cast in a way the reader does not know")
}

func castList(kind string, v Value) Value {
	l := v.list
	if l == nil {
		l = &list{}
		switch {
		case v.kind == Null:
		case kind == "array":
			l.set("0", v)
		default:
			l.set("scalar", v)
		}
	}
	if kind == "array" {
		return Value{kind: Array, list: l}
	}
	return Value{kind: Object, list: l}
}
