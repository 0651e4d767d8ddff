package moodledb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/elliotchance/phpserialize"
)

// Retired is an entry of openssl_history: a key pair that was replaced, kept because peers may still use its certificate.
// It prints without its private key.
type Retired struct {
	Certificate string // PEM
	KeyPEM      string // PEM, keypair_PEM there
	Expires     int64  // unix seconds, of the certificate; 0 when not said
}

// Format shows that there is a key, never which.
func (r Retired) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "retired key pair, expired at %d", r.Expires)
}

// MarshalJSON writes what Format prints.
func (r Retired) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

const historyHint = "it may hold the only copy of a key, so it is left as it is: mend it, or save it elsewhere and set it to a:0:{}"

// decodeHistory reads config_plugins mnet/openssl_history, newest first (Moodle mnet/environment.php, get_keypair): PHP's
// serialize of a list of {certificate, keypair_PEM, expires}. Absent, "" and a:0:{} are empty. Mahara leaves entries that are
// empty arrays; they and others without a private key hold nothing that could be lost, and are passed over. expires is a
// string, or an int in old rows.
func decodeHistory(raw string) ([]Retired, error) {
	if raw == "" {
		return nil, nil
	}
	fail := func(format string, a ...any) ([]Retired, error) {
		return nil, &HistoryError{Problem: fmt.Sprintf(format, a...), Hint: historyHint}
	}
	list, problem := unserialize(raw)
	if problem != "" {
		return fail("%s", problem)
	}
	var history []Retired
	for _, key := range slices.SortedFunc(maps.Keys(list), byNumber) {
		r, problem := retired(list[key], raw)
		if problem != "" {
			return fail("entry %v: %s", key, problem)
		}
		if r.KeyPEM != "" {
			history = append(history, r)
		}
	}
	// The library stops reading after the entries it was told of and does not look for their end. PHP refuses both.
	if len(list) > 0 && !strings.HasSuffix(strings.TrimSpace(raw), "}}") {
		return fail("cut short")
	}
	if n := strings.Count(raw, serializeString("keypair_PEM")); n > len(list) {
		return fail("%d key pairs in a list of %d", n, len(list))
	}
	return history, nil
}

func byNumber(a, b any) int {
	x, _ := a.(int64)
	y, _ := b.(int64)
	return cmp.Compare(x, y)
}

func retired(entry any, raw string) (r Retired, problem string) {
	if list, ok := entry.([]any); ok && len(list) == 0 {
		return r, ""
	}
	fields, ok := entry.(map[any]any)
	if !ok {
		return r, "not an array of names"
	}
	text := func(name string) string {
		switch value := fields[name].(type) {
		case nil:
			return ""
		case string:
			// The library believes a string's length and does not look for its closing quote. PHP does.
			if strings.Contains(raw, serializeString(value)) {
				return value
			}
			problem = "the length of " + name + " is wrong"
		default:
			problem = name + " is no string"
		}
		return ""
	}
	r.Certificate, r.KeyPEM = text("certificate"), text("keypair_PEM")
	switch expires := fields["expires"].(type) {
	case int64:
		r.Expires = expires
	case string:
		r.Expires, _ = strconv.ParseInt(expires, 10, 64) // 0 is as good as any other nonsense: nothing is decided on it
	}
	return r, problem
}

// encodeHistory writes what PHP's serialize makes of the list, byte for byte as Moodle does: expires as the string that it is
// when it comes from the database.
func encodeHistory(history []Retired) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(history))
	for i, r := range history {
		fmt.Fprintf(&b, "i:%d;a:3:{%s%s%s%s%s%s}", i,
			serializeString("certificate"), serializeString(r.Certificate),
			serializeString("keypair_PEM"), serializeString(r.KeyPEM),
			serializeString("expires"), serializeString(strconv.FormatInt(r.Expires, 10)))
	}
	b.WriteString("}")
	return b.String()
}

// serializeString is PHP's serialize of a string: its length in bytes, then the bytes as they are. Not
// phpserialize.MarshalString, which puts a backslash before a quote.
func serializeString(s string) string { return fmt.Sprintf("s:%d:\"%s\";", len(s), s) }

// hugeLength is a length no value here has. The library would allocate it.
var hugeLength = regexp.MustCompile(`[as]:\d{7,}:`)

// unserialize reads PHP's serialize of an array; a list has int64 keys. The problem names no content: the library's own errors
// quote what they cannot read, here private keys.
func unserialize(raw string) (array map[any]any, problem string) {
	if at := strings.IndexByte(raw, '\\'); at >= 0 {
		// The library takes it for an escape, which the format does not have.
		return nil, fmt.Sprintf("backslash at byte %d", at)
	}
	if at := hugeLength.FindStringIndex(raw); at != nil {
		return nil, fmt.Sprintf("impossible length at byte %d", at[0])
	}
	defer func() { // the library reads past the end of what is cut short
		if recover() != nil {
			array, problem = nil, "cut short"
		}
	}()
	array, err := phpserialize.UnmarshalAssociativeArray([]byte(raw))
	if err != nil {
		return nil, "not what PHP's serialize writes"
	}
	return array, ""
}
