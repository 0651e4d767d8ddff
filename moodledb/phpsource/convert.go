package phpsource

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Text is the value converted by PHP's (string). Numbers that are not known, arrays and objects
// give "".
func (v Value) Text() string {
	switch v.kind {
	case Bool:
		if v.num == 1 {
			return "1"
		}
	case Int:
		return strconv.FormatInt(v.num, 10)
	case String:
		return v.text
	}
	return ""
}

// Int is the value converted by PHP's (int). A value that integer does not know gives 0.
func (v Value) Int() int64 {
	n, _ := integer(v)
	return n
}

// Truth is the value converted by PHP's (bool). A number that is not known gives false.
func (v Value) Truth() bool {
	switch v.kind {
	case Bool, Int:
		return v.num != 0
	case String:
		return v.text != "" && v.text != "0"
	case Array:
		return len(v.Entries()) > 0
	case Object:
		return true
	}
	return false
}

var (
	leading = regexp.MustCompile(`^[ \t\n\r\v\f]*([+-]?[0-9]+)(.?)`)
	decimal = regexp.MustCompile(`^[ \t\n\r\v\f]*[+-]?\.`)
)

// integer is PHP's (int). A string may continue after its digits, but not as a float, whose size
// and rounding only PHP knows.
func integer(v Value) (n int64, known bool) {
	switch v.kind {
	case Null, Bool, Int:
		return v.num, true
	case String:
		m := leading.FindStringSubmatch(v.text)
		if m == nil {
			return 0, !decimal.MatchString(v.text)
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		return n, err == nil && (m[2] == "" || !strings.Contains(".eE", m[2]))
	}
	return 0, false
}

// numberLike says that PHP might treat a string as a number when it compares; the details depend on
// its version.
func numberLike(s string) bool {
	s = strings.Trim(s, " \t\n\r\v\f")
	return s != "" && strings.IndexByte("+-.0123456789", s[0]) >= 0
}

// key is PHP's array key for a value; ok is false for a value that cannot be a key or is not known.
func key(v Value) (text string, ok bool) {
	switch v.kind {
	case Null, String:
		return v.Text(), true
	case Bool, Int:
		return strconv.FormatInt(v.num, 10), true
	}
	return "", false
}

// integerKey says whether a key is one of PHP's integer keys: decimal, no leading zero, no plus
// sign, not -0.
func integerKey(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s
}

// identical is `===`; for arrays the result is not known.
func identical(a, b Value) (same, known bool) {
	if a.kind != b.kind && a.kind != Number && b.kind != Number {
		return false, true
	}
	return a.num == b.num && a.text == b.text, a.kind == b.kind && a.kind < Array && a.kind != Number
}

// loose is `==`, as far as all versions of PHP agree.
func loose(a, b Value) (equal, known bool) {
	if a.kind > b.kind {
		a, b = b, a
	}
	switch {
	case a.kind == Number || b.kind == Number:
		return false, false
	case a.kind == Null && b.kind == String:
		return b.text == "", true
	case a.kind == Null, a.kind == Bool:
		return a.Truth() == b.Truth(), true
	case a.kind == Int && b.kind == Int:
		return a.num == b.num, true
	case a.kind == Int && b.kind == String:
		n, ok := integerKey(b.text)
		return n == a.num, ok
	case a.kind == String && b.kind == String:
		n, ok := integerKey(a.text)
		m, both := integerKey(b.text)
		if ok && both {
			return n == m, true
		}
		return a.text == b.text, a.text == b.text || !numberLike(a.text) || !numberLike(b.text)
	}
	return false, false
}

// arithmetic is known for integers whose result cannot exceed the range; if a number is not known,
// the result is not known either.
func arithmetic(op string, a, b Value) (v Value, known bool) {
	if a.kind == Number && b.kind == Number || a.kind == Number && b.kind == Int || a.kind == Int && b.kind == Number {
		return Value{kind: Number}, op != "/" && op != "%"
	}
	x, y := a.num, b.num
	if a.kind != Int || b.kind != Int || x != int64(int32(x)) || y != int64(int32(y)) {
		return Value{}, false
	}
	switch op {
	case "+":
		return intValue(x + y), true
	case "-":
		return intValue(x - y), true
	case "*":
		return intValue(x * y), true
	case "|":
		return intValue(x | y), true
	case "&":
		return intValue(x & y), true
	case "^":
		return intValue(x ^ y), true
	}
	return Value{}, false
}

func ordered(op string, x, y int64) bool {
	return x < y && op[0] == '<' || x > y && op[0] == '>' || x == y && len(op) == 2
}

// cast is PHP's `(type)`.
func cast(kind string, v Value) (to Value, known bool) {
	switch kind {
	case "int":
		n, known := integer(v)
		return intValue(n), known
	case "bool":
		return BoolValue(v.Truth()), v.kind != Number
	case "string":
		return StringValue(v.Text()), v.kind < Array && v.kind != Number
	case "array":
		switch v.kind {
		case Array:
			return v, true
		case Object:
			return v, false
		}
		l := &list{}
		if v.kind != Null {
			l.push(v)
		}
		return Value{kind: Array, list: l}, true
	case "object":
		return object(v)
	}
	return v, false
}

// object is an array cast to an object. Keys that are not names of properties are not known.
func object(v Value) (Value, bool) {
	if v.kind != Array {
		return v, false
	}
	o := &list{entries: slices.Clone(v.list.entries)}
	for _, e := range o.entries {
		share(e.Value)
		if label(e.Key) != e.Key || e.Key == "" {
			return v, false
		}
	}
	return Value{kind: Object, list: o}, true
}
