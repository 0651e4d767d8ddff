// Package phpserial reads the output of PHP's serialize for arrays: settings of Moodle, in the
// database and in its cache.
package phpserial

import (
	"fmt"
	"strconv"
	"strings"
)

// Element is an element of a PHP array, in the array's own order. A key is an int64 or a string, as
// in PHP; a value is nil, a bool, int64, float64, string or []Element.
type Element struct{ Key, Value any }

// Array reads PHP's serialize of an array: exactly what PHP's own unserialize reads
// (ext/standard/var_unserializer.re), and nothing else, because the tool writes a history back in
// place of the one that it read. References and objects are not needed and are refused, as is text
// after the value, which PHP before 8.3 ignores. The problem shows no content: that may be a
// private key.
func Array(raw string) (array []Element, problem string) {
	r := &serialized{text: strings.TrimRight(raw, " \t\r\n")}
	value, ok := r.value(0)
	array, isArray := value.([]Element)
	switch {
	case !ok && r.at >= len(r.text):
		return nil, "cut short"
	case !ok:
		return nil, fmt.Sprintf("not what PHP's serialize writes, at byte %d", r.at)
	case !isArray:
		return nil, "not an array"
	case r.at < len(r.text):
		return nil, fmt.Sprintf("there is something after it, at byte %d", r.at)
	}
	return array, ""
}

// Begins reports whether the text begins with a value that can be read, whatever comes after it: PHP
// before 8.3 ignores that.
func Begins(raw string) bool {
	_, ok := (&serialized{text: raw}).value(0)
	return ok
}

// maxDepth is how deep arrays may be nested; what is read here has two levels.
const maxDepth = 16

// serialized is a text and how far it has been read.
type serialized struct {
	text string
	at   int
}

// skip reads the literal, which must come next.
func (r *serialized) skip(literal string) bool {
	if !strings.HasPrefix(r.text[r.at:], literal) {
		if strings.HasPrefix(literal, r.text[r.at:]) {
			r.at = len(r.text) // it ends within
		}
		return false
	}
	r.at += len(literal)
	return true
}

// until reads up to the end of a scalar or a length, and that end.
func (r *serialized) until(end string) (string, bool) {
	const maxLen = 40 // no number is longer
	text, _, found := strings.Cut(r.text[r.at:min(len(r.text), r.at+maxLen)], end)
	if !found {
		return "", false
	}
	r.at += len(text) + len(end)
	return text, true
}

// digits reads a count or a length, which has no sign.
func (r *serialized) digits(end string) (int, bool) {
	from := r.at
	text, ok := r.until(end)
	n, err := strconv.ParseUint(text, 10, 31)
	if !ok || err != nil {
		r.at = from
		return 0, false
	}
	return int(n), true
}

func (r *serialized) value(depth int) (any, bool) {
	switch {
	case r.skip("N;"):
		return nil, true
	case r.skip("b:0;"):
		return false, true
	case r.skip("b:1;"):
		return true, true
	case r.skip("i:"):
		return r.integer()
	case r.skip("d:"):
		return r.float()
	case r.skip("s:"):
		return r.string()
	case r.skip("a:"):
		return r.array(depth + 1)
	}
	return nil, false
}

func (r *serialized) integer() (any, bool) {
	text, ok := r.until(";")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && err == nil
}

// float reads the decimal notations that ParseFloat reads; PHP writes no other.
func (r *serialized) float() (any, bool) {
	text, ok := r.until(";")
	f, err := strconv.ParseFloat(text, 64)
	return f, ok && err == nil && !strings.ContainsAny(text, "xXpP_")
}

func (r *serialized) string() (any, bool) {
	length, ok := r.digits(`:"`)
	if !ok || length > len(r.text)-r.at {
		return nil, false
	}
	text := r.text[r.at : r.at+length]
	r.at += length
	return text, r.skip(`";`)
}

func (r *serialized) array(depth int) (any, bool) {
	count, ok := r.digits(":{")
	if !ok || depth > maxDepth {
		return nil, false
	}
	array, place := []Element{}, map[any]int{}
	for range count {
		key, ok := r.value(maxDepth) // an array cannot be a key
		if !ok {
			return nil, false
		}
		switch k := key.(type) {
		case int64:
		case string:
			key = asKey(k)
		default:
			return nil, false
		}
		value, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		if at, again := place[key]; again { // the last value counts, at the place of the first
			array[at].Value = value
			continue
		}
		place[key] = len(array)
		array = append(array, Element{key, value})
	}
	return array, r.skip("}")
}

// asKey is a string as the key of a PHP array: an int if it is written as one.
func asKey(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return n
	}
	return s
}

// ByName are the elements of an array that have names.
func ByName(array []Element) map[string]any {
	named := map[string]any{}
	for _, e := range array {
		if name, ok := e.Key.(string); ok {
			named[name] = e.Value
		}
	}
	return named
}
