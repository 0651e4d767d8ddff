package phpsource

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
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

func (k Kind) String() string {
	return [...]string{"null", "unevaluated", "bool", "int", "float", "string", "array", "object"}[k]
}

// Value is one PHP value and where it was written. The zero Value is null.
// Configuration files hold passwords: a Value never prints its content, Text gives it.
type Value struct {
	kind Kind
	web  bool   // Unevaluated: only a web request could say
	num  uint64 // Bool 0 or 1, Int as two's complement, Float as IEEE bits
	text string // String content, or why an Unevaluated one is
	list *list  // Array and Object
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

// list is copied when it is assigned, as PHP's arrays are; the copy is made when one of the two changes.
type list struct {
	entries []Entry
	next    int64 // key that `[] =` gives
	rest    Value // what keys without an entry have: null, or Unevaluated when part of the list is
	shared  bool  // another Value may hold it: never to be changed again
}

// share marks a value that is about to be held a second time.
func share(v Value) Value {
	if v.list != nil {
		v.list.shared = true
	}
	return v
}

// own returns a list that may be changed, and how many elements were copied for it.
func (l *list) own() (*list, int) {
	if !l.shared {
		return l, 0
	}
	c := *l
	c.shared, c.entries = false, slices.Clone(l.entries)
	for _, e := range c.entries {
		share(e.Value)
	}
	return &c, len(c.entries)
}

// StringValue is the PHP string s, assigned nowhere.
func StringValue(s string) Value { return Value{kind: String, text: s} }

func boolValue(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

func intValue(n int64) Value { return Value{kind: Int, num: uint64(n)} }

func floatValue(f float64) Value { return Value{kind: Float, num: math.Float64bits(f)} }

func unevaluated(why string) Value { return Value{kind: Unevaluated, text: why} }

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

// OfRequest says that an Unevaluated value depends on a web request: on a command line PHP gives something else than in the web server.
func (v Value) OfRequest() bool { return v.web }

// Get returns the element or property with this key: null when there is none or v has no elements, v itself when v is Unevaluated.
func (v Value) Get(key string) Value {
	if v.kind == Unevaluated {
		return v
	}
	if v.list == nil {
		return Value{}
	}
	if i := v.list.find(key); i >= 0 {
		return v.list.entries[i].Value
	}
	return v.list.rest
}

// Entries are the elements of an array or the properties of an object in order. The caller must not change them.
func (v Value) Entries() []Entry {
	if v.list == nil {
		return nil
	}
	return v.list.entries
}

// Format prints kind and position under every verb, never the content.
func (v Value) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s at %s:%d", v.kind, v.at.File, v.at.Line)
}

// MarshalJSON writes what Format prints.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(v)) }

func (l *list) find(key string) int {
	for i := range l.entries {
		if l.entries[i].Key == key {
			return i
		}
	}
	return -1
}

// set replaces or appends in place; only for a list that is not shared.
func (l *list) set(key string, v Value) {
	if i := l.find(key); i >= 0 {
		l.entries[i].Value = v
		return
	}
	l.entries = append(l.entries, Entry{key, v})
	if n, ok := integerKey(key); ok && n >= l.next && n < math.MaxInt64 {
		l.next = n + 1
	}
}

// push is `[] =` in place, as set is.
func (l *list) push(v Value) {
	l.entries = append(l.entries, Entry{strconv.FormatInt(l.next, 10), v})
	l.next++
}
