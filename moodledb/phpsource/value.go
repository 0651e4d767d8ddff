package phpsource

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind says what a Value is.
type Kind uint8

const (
	Null        Kind = iota // null, and also: never assigned, or unset
	Unevaluated             // something the reader does not evaluate; Why and At say what and where
	Bool
	Int
	Float
	String
	Array
	Object // new stdClass(), and whatever is assigned properties
)

// Value is one PHP value and where it was written. The zero Value is null.
// Configuration files hold passwords: a Value never prints its content, Text gives it.
type Value struct {
	kind Kind
	num  uint64 // Bool 0 or 1, Int as two's complement, Float as IEEE bits
	text string // String content, or why an Unevaluated one is
	list *list  // Array and Object
	web  bool   // Unevaluated: only a web request could say
	at   Position
}

// Position is a place in a source file. Line counts from 1; 0 means nowhere.
type Position struct {
	File string
	Line int
}

// Entry is one element of an array or one property of an object, in PHP's order.
// Key is the text of PHP's key: PHP itself treats 8 and '8' as the same key.
type Entry struct {
	Key   string
	Value Value
}

type list struct {
	entries []Entry
	next    int64 // key that `[] =` would give
}

// Kind of the value.
func (v Value) Kind() Kind { return v.kind }

// At is where the value was assigned.
func (v Value) At() Position { return v.at }

// Why says in a few words, without content of the file, why an Unevaluated value is not evaluated. Else it is empty.
func (v Value) Why() string {
	if v.kind != Unevaluated {
		return ""
	}
	return v.text
}

// Get returns the element or property with this key: null when there is none or v has no elements, v itself when v is Unevaluated.
func (v Value) Get(key string) Value {
	if v.kind == Unevaluated {
		return v
	}
	if v.list == nil {
		return Value{}
	}
	for _, e := range v.list.entries {
		if e.Key == key {
			return e.Value
		}
	}
	return Value{}
}

// Entries are the elements of an array or the properties of an object in order. The caller must not change them.
func (v Value) Entries() []Entry {
	if v.list == nil {
		return nil
	}
	return v.list.entries
}

// Text is the value converted by PHP's (string). Arrays, objects and Unevaluated give "".
func (v Value) Text() string {
	switch v.kind {
	case Bool:
		if v.num == 1 {
			return "1"
		}
	case Int:
		return strconv.FormatInt(int64(v.num), 10)
	case Float:
		return floatText(math.Float64frombits(v.num))
	case String:
		return v.text
	}
	return ""
}

// Int is the value converted by PHP's (int): leading digits of a string, 0 for no number. Unevaluated gives 0.
func (v Value) Int() int64 {
	switch v.kind {
	case Bool, Int:
		return int64(v.num)
	case Float:
		return floatToInt(math.Float64frombits(v.num))
	case String:
		return leadingNumber(v.text).Int()
	case Array, Object:
		if v.kind == Object || len(v.Entries()) > 0 {
			return 1
		}
	}
	return 0
}

// Truth is the value converted by PHP's (bool). Unevaluated gives false.
func (v Value) Truth() bool {
	switch v.kind {
	case Bool, Int:
		return v.num != 0
	case Float:
		return math.Float64frombits(v.num) != 0
	case String:
		return v.text != "" && v.text != "0"
	case Array:
		return len(v.Entries()) > 0
	case Object:
		return true
	}
	return false
}

// Format prints kind and position under every verb, never the content.
func (v Value) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s at %s:%d", v.kind, v.at.File, v.at.Line)
}

// MarshalJSON writes what Format prints.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(v)) }

func (k Kind) String() string {
	return [...]string{"null", "unevaluated", "bool", "int", "float", "string", "array", "object"}[k]
}

func floatToInt(f float64) int64 {
	if math.IsNaN(f) || f >= math.MaxInt64 || f <= math.MinInt64 {
		return 0
	}
	return int64(f)
}

// floatText writes a float as PHP 7.1 and later do: the shortest digits that read back the same, 1.0E+25 for large exponents.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NAN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case f == 0 && math.Signbit(f):
		return "-0"
	}
	s := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "E")
	n, _ := strconv.Atoi(exponent)
	if n >= -5 && n < 15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return fmt.Sprintf("%sE%+d", mantissa, n)
}

// leadingNumber reads the number a string starts with as PHP's casts do; no number is int 0.
func leadingNumber(s string) Value {
	s = strings.TrimLeft(s, " \t\n\r\v\f")
	end, float := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			end = i + 1
			continue
		case (c == '+' || c == '-') && i == 0:
			continue
		case c == '.' && !float:
			float = true
			continue
		}
		break
	}
	if end == 0 {
		return Value{kind: Int}
	}
	if n, err := strconv.ParseInt(s[:end], 10, 64); err == nil {
		return Value{kind: Int, num: uint64(n)}
	}
	f, _ := strconv.ParseFloat(s[:end], 64)
	return Value{kind: Float, num: math.Float64bits(f)}
}
