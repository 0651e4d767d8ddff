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
	Null   Kind = iota // null, and also: never assigned, or unset
	Number             // a number whose value is not known: a float, or a constant whose value depends on PHP's version
	Bool
	Int
	String
	Array
	Object // new stdClass(), or an array cast to one
)

func (k Kind) String() string {
	return [...]string{"null", "number", "bool", "int", "string", "array", "object"}[k]
}

// Value is one PHP value and where it was written. The zero Value is null. Configuration files
// contain passwords: a Value never prints its content, Text gives it.
type Value struct {
	kind Kind
	num  int64  // Bool 0 or 1, Int
	text string // String
	list *list  // Array and Object
	at   Position
}

// Position is a place in a source file. Line counts from 1; 0 means nowhere.
type Position struct {
	File string
	Line int
}

// Entry is one element of an array or one property of an object, in PHP's order. Key is the text of
// PHP's key: PHP itself treats 8 and '8' as the same key.
type Entry struct {
	Key   string
	Value Value
}

// list is copied at an assignment, as PHP's arrays are; the copy is made when one of the two
// changes. An object's list is never copied: an object has one place only.
type list struct {
	entries  []Entry
	next     int64 // key that `[] =` gives
	negative bool  // a negative key came before any other number: what `[] =` gives then depends on PHP's version
	shared   bool  // another Value may have it: it must never be changed again
	assigned bool  // an object that was assigned: a second place would be an alias
	objects  bool  // an array that contains objects: its copy would contain the same ones
}

// share marks an array that is about to get a second place.
func share(v Value) Value {
	if v.kind == Array {
		v.list.shared = true
	}
	return v
}

// clone is a copy, whose inner arrays have two places from now on.
func (l *list) clone() *list {
	c := *l
	c.shared, c.entries = false, slices.Clone(l.entries)
	for _, e := range c.entries {
		share(e.Value)
	}
	return &c
}

// StringValue is the PHP string s, without a position.
func StringValue(s string) Value { return Value{kind: String, text: s} }

// BoolValue is PHP's true or false, without a position.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

func intValue(n int64) Value { return Value{kind: Int, num: n} }

// Kind is the kind of the value.
func (v Value) Kind() Kind { return v.kind }

// At is where the value was assigned.
func (v Value) At() Position { return v.at }

// Get returns the element or property with this key: null if there is none or v has no elements.
func (v Value) Get(key string) Value {
	if v.list == nil {
		return Value{}
	}
	if i := v.list.find(key); i >= 0 {
		return v.list.entries[i].Value
	}
	return Value{}
}

// Entries are the elements of an array or the properties of an object in order. The caller must not
// change them.
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
	switch n, ok := integerKey(key); {
	case !ok:
	case n >= l.next && n < math.MaxInt64:
		l.next, l.negative = n+1, false
	case n < 0 && l.next == 0, n == math.MaxInt64:
		l.negative = true
	}
}

// push is `[] =` in place, as set is; false if the key is not known.
func (l *list) push(v Value) bool {
	if l.negative {
		return false
	}
	l.entries = append(l.entries, Entry{strconv.FormatInt(l.next, 10), v})
	l.next++
	return true
}

// remove is unset() of an element, in place.
func (l *list) remove(key string) {
	if i := l.find(key); i >= 0 {
		l.entries = slices.Delete(l.entries, i, i+1)
	}
}
