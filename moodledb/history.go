package moodledb

import (
	"fmt"
	"strconv"
	"strings"

	"renew_mnetkeys/moodledb/phpserial"
	"renew_mnetkeys/rotate"
)

const historyHint = "save the value of openssl_history (table mdl_config_plugins, plugin mnet) in another place: it may have the only copy of a key. Then set it to a:0:{}. Then run: renew_mnetkeys push"

// decodeHistory reads config_plugins mnet/openssl_history, newest first (Moodle
// mnet/environment.php, get_keypair): PHP's serialize of a list of {certificate, keypair_PEM,
// expires}. Absent, "" and a:0:{} are empty. Mahara leaves entries that are empty arrays. These and
// other entries without a private key contain nothing that could be lost, and are skipped. expires
// is a string, or an int in old rows.
func decodeHistory(raw string) ([]rotate.Retired, error) {
	if raw == "" {
		return nil, nil
	}
	fail := func(format string, a ...any) ([]rotate.Retired, error) {
		return nil, &HistoryError{Problem: fmt.Sprintf(format, a...), Advice: historyHint}
	}
	if at := strings.IndexByte(raw, '\\'); at >= 0 {
		return fail("backslash at byte %d: no key has one, a dump that was restored may", at)
	}
	list, problem := phpserial.Array(raw)
	if problem != "" {
		return fail("%s", problem)
	}
	var history []rotate.Retired
	for _, entry := range list {
		r, problem := retired(entry.Value)
		if problem != "" {
			return fail("entry %v: %s", entry.Key, problem)
		}
		if r.PrivateKey != "" {
			history = append(history, r)
		}
	}
	return history, nil
}

func retired(entry any) (r rotate.Retired, problem string) {
	array, ok := entry.([]phpserial.Element)
	if !ok {
		return r, "not an array"
	}
	fields := phpserial.ByName(array)
	text := func(name string) string {
		switch value := fields[name].(type) {
		case nil:
			return ""
		case string:
			return value
		default:
			problem = name + " is not a string"
		}
		return ""
	}
	r.Certificate, r.PrivateKey = text("certificate"), text("keypair_PEM")
	switch expires := fields["expires"].(type) {
	case int64:
		r.Expires = expires
	case string:
		r.Expires, _ = strconv.ParseInt(expires, 10, 64) // 0 is as good as any other invalid value: nothing is decided on it
	}
	return r, problem
}

// PairsIn gives the key pairs in a copy of plugin mnet's settings, such as Moodle's cache has: the
// current one first, whose Expires is 0, then the retired ones, newest first. Even with an error, a
// [*HistoryError], it returns the current one.
func PairsIn(settings map[string]string) ([]rotate.Retired, error) {
	var pairs []rotate.Retired
	if pair := splitPair(settings["openssl"]); pair.Certificate != "" && pair.PrivateKey != "" {
		pairs = append(pairs, rotate.Retired{Stored: pair})
	}
	history, err := decodeHistory(settings["openssl_history"])
	return append(pairs, history...), err
}

// encodeHistory writes what PHP's serialize makes of the list, byte for byte as Moodle does:
// expires is a string, because it is one when it comes from the database.
func encodeHistory(history []rotate.Retired) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", len(history))
	for i, r := range history {
		fmt.Fprintf(&b, "i:%d;a:3:{%s%s%s%s%s%s}", i,
			serializeString("certificate"), serializeString(r.Certificate),
			serializeString("keypair_PEM"), serializeString(r.PrivateKey),
			serializeString("expires"), serializeString(strconv.FormatInt(r.Expires, 10)))
	}
	b.WriteString("}")
	return b.String()
}

// serializeString is PHP's serialize of a string: its length in bytes, then the bytes unchanged.
func serializeString(s string) string { return fmt.Sprintf("s:%d:\"%s\";", len(s), s) }
