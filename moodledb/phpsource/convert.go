package phpsource

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

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
		if f := math.Trunc(math.Float64frombits(v.num)); f > -1<<63 && f < 1<<63 {
			return int64(f)
		}
	case String:
		return leadingNumber(v.text).Int()
	case Array:
		if len(v.Entries()) > 0 {
			return 1
		}
	case Object:
		return 1
	}
	return 0
}

// fits says whether Int is what every PHP version makes of the value: what it makes of floats outside the range differs.
func (v Value) fits() bool {
	if v.kind == String {
		v = leadingNumber(v.text)
	}
	f := math.Trunc(v.float())
	return v.kind != Float || f > -1<<63 && f < 1<<63
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

// floatText writes a float as PHP does with its default of 14 significant digits (php.ini: precision).
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NAN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', 13, 64), "E")
	n, _ := strconv.Atoi(exponent)
	if n < -4 || n > 13 {
		mantissa = strings.TrimRight(mantissa, "0")
		if strings.HasSuffix(mantissa, ".") {
			mantissa += "0"
		}
		return fmt.Sprintf("%sE%+d", mantissa, n)
	}
	s := strconv.FormatFloat(f, 'f', 13-n, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

var number = regexp.MustCompile(`^[ \t\n\r\v\f]*([+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?)`)

// leadingNumber reads the number a string starts with as PHP's casts do; no number is int 0.
func leadingNumber(s string) Value {
	m := number.FindStringSubmatch(s)
	if m == nil {
		return intValue(0)
	}
	if m[2] == "" && m[3] == "" && m[4] == "" {
		if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
			return intValue(n)
		}
	}
	f, _ := strconv.ParseFloat(m[1], 64) // out of range gives ±Inf, as in PHP
	return floatValue(f)
}

// numeric is a number, or a string that is one from end to end.
func numeric(v Value) (Value, bool) {
	switch v.kind {
	case Int, Float:
		return v, true
	case String:
		if m := number.FindString(v.text); m != "" && strings.Trim(v.text[len(m):], " \t\n\r\v\f") == "" {
			return leadingNumber(v.text), true
		}
	}
	return v, false
}

// key is PHP's array key for a value; ok is false for what cannot be one or is not known.
func key(v Value) (text string, ok bool) {
	switch v.kind {
	case Null, String:
		return v.Text(), true
	case Bool, Int, Float:
		return strconv.FormatInt(v.Int(), 10), v.fits()
	}
	return "", false
}

// integerKey says whether a key is one of PHP's integer keys: decimal, no leading zero, no plus sign, not -0.
func integerKey(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s
}
