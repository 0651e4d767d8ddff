package moodledb

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// TestHistoryOfRealSites reads every history that Moodle and Mahara wrote for the vectors and
// writes it again.
func TestHistoryOfRealSites(t *testing.T) {
	t.Parallel()
	entries := 0
	for file, parties := range vectorHistories(t) {
		for name, p := range parties {
			t.Run(file+" "+name, func(t *testing.T) {
				history, err := decodeHistory(p.HistoryRaw)
				if err != nil {
					t.Fatal(err)
				}
				entries += len(history)
				if diff := cmp.Diff(listed(t, p.History), history); diff != "" {
					t.Errorf("what PHP reads (-) and what we read (+):\n%s", diff)
				}
				if strings.Contains(p.HistoryRaw, "a:0:{}") && p.HistoryRaw != "a:0:{}" {
					return // Mahara's empty entries are not written again
				}
				if got := encodeHistory(history); got != p.HistoryRaw {
					t.Errorf("written again it is\n%q\nand was\n%q", got, p.HistoryRaw)
				}
			})
		}
	}
	if entries == 0 {
		t.Error("no vector holds a retired key")
	}
}

// listed is the vector's own reading of a history: a list of objects, or of empty lists.
func listed(t *testing.T, raw json.RawMessage) (history []rotate.Retired) {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list {
		var entry struct {
			Certificate string
			KeypairPEM  string `json:"keypair_PEM"`
			Expires     json.Number
		}
		if json.Unmarshal(item, &entry) != nil {
			continue
		}
		expires, err := entry.Expires.Int64()
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, rotate.Retired{Stored: rotate.Stored{Certificate: entry.Certificate, PrivateKey: entry.KeypairPEM}, Expires: expires})
	}
	return history
}

func TestHistoryForms(t *testing.T) {
	t.Parallel()
	const entry = `a:3:{s:11:"certificate";s:1:"c";s:11:"keypair_PEM";s:1:"k";s:7:"expires";s:2:"12";}`
	one := []rotate.Retired{{Stored: rotate.Stored{Certificate: "c", PrivateKey: "k"}, Expires: 12}}
	for name, c := range map[string]struct {
		raw  string
		want []rotate.Retired
	}{
		"absent or an empty string is empty":              {"", nil},
		"an empty array is empty":                         {"a:0:{}", nil},
		"one entry":                                       {"a:1:{i:0;" + entry + "}", one},
		"expires may be an int":                           {`a:1:{i:0;` + strings.Replace(entry, `s:2:"12"`, "i:12", 1) + `}`, one},
		"expires may be missing":                          {`a:1:{i:0;a:2:{s:11:"certificate";s:1:"c";s:11:"keypair_PEM";s:1:"k";}}`, []rotate.Retired{{Stored: rotate.Stored{Certificate: "c", PrivateKey: "k"}, Expires: 0}}},
		"the order of an entry's fields does not matter":  {`a:1:{i:0;a:3:{s:7:"expires";s:2:"12";s:11:"keypair_PEM";s:1:"k";s:11:"certificate";s:1:"c";}}`, one},
		"an empty entry is passed over":                   {"a:2:{i:0;a:0:{}i:1;" + entry + "}", one},
		"an entry without a private key is passed over":   {`a:2:{i:0;a:1:{s:7:"expires";i:5;}i:1;` + entry + "}", one},
		"a list that does not start at 0 keeps its order": {"a:2:{i:2;" + entry + `i:5;` + strings.ReplaceAll(entry, `"c"`, `"d"`) + "}", []rotate.Retired{{Stored: rotate.Stored{Certificate: "c", PrivateKey: "k"}, Expires: 12}, {Stored: rotate.Stored{Certificate: "d", PrivateKey: "k"}, Expires: 12}}},
		"lengths count bytes, not characters":             {`a:1:{i:0;` + strings.Replace(entry, `s:1:"c"`, `s:3:"€"`, 1) + `}`, []rotate.Retired{{Stored: rotate.Stored{Certificate: "€", PrivateKey: "k"}, Expires: 12}}},
		"a quote is no escape and ends nothing":           {`a:1:{i:0;` + strings.Replace(entry, `s:1:"c"`, `s:4:"'";}"`, 1) + `}`, []rotate.Retired{{Stored: rotate.Stored{Certificate: `'";}`, PrivateKey: "k"}, Expires: 12}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeHistory(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			again, err := decodeHistory(encodeHistory(got))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("written and read again:\n%s", diff)
			}
		})
	}
}

func TestUnreadableHistoryIsAnErrorThatShowsNoKey(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0IGtleQ=="
	entry := fmt.Sprintf(`a:3:{s:11:"certificate";s:1:"c";s:11:"keypair_PEM";s:16:"%s";s:7:"expires";s:2:"12";}`, secret)
	whole := "a:1:{i:0;" + entry + "}"
	cases := map[string]string{
		"no serialized value":                     secret,
		"not an array":                            `s:16:"` + secret + `";`,
		"an object":                               `O:8:"stdClass":1:{s:1:"k";s:16:"` + secret + `";}`,
		"an entry that is a string":               `a:1:{i:0;s:16:"` + secret + `";}`,
		"a length that is too short":              strings.Replace(whole, "s:16:", "s:15:", 1),
		"a length that is too long":               strings.Replace(whole, "s:16:", "s:17:", 1),
		"a length that is huge":                   strings.Replace(whole, "s:16:", "s:99999999999:", 1),
		"a count that is huge":                    strings.Replace(whole, "a:3:", "a:99999999999:", 1),
		"more entries than said":                  "a:1:{i:0;" + entry + "i:1;" + entry + "}",
		"fewer entries than said":                 "a:2:{i:0;" + entry + "}",
		"a backslash, which a restored dump left": strings.Replace(whole, secret[:2], `\"`, 1),
		"a private key that is a number":          `a:1:{i:0;a:2:{s:11:"certificate";s:16:"` + secret + `";s:11:"keypair_PEM";i:7;}}`,
		"line ends that were changed":             strings.Replace(whole, `s:1:"c"`, "s:1:\"\r\n\"", 1),
	}
	for i := 1; i < len(whole); i++ {
		cases[fmt.Sprintf("cut after %d bytes", i)] = whole[:i]
	}
	for name, raw := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := decodeHistory(raw)
			var unreadable *HistoryError
			if !errors.As(err, &unreadable) {
				t.Fatalf("read %d entries, error %v", len(got), err)
			}
			if unreadable.Hint() == "" || strings.Contains(unreadable.Error()+unreadable.Hint(), secret[:4]) {
				t.Errorf("error %q, hint %q", unreadable, unreadable.Hint())
			}
		})
	}
}

// TestHistoryAndPHP lets PHP read what the tool writes and write it again.
func TestHistoryAndPHP(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t)
	history := []rotate.Retired{{Stored: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}, Expires: 1700000000}, {Stored: rotate.Stored{Certificate: "Ünï'cödé \"quoted\"", PrivateKey: newKey}, Expires: 0}}
	for name, list := range map[string][]rotate.Retired{"empty": nil, "two entries": history} {
		t.Run(name, func(t *testing.T) {
			ours := encodeHistory(list)
			script := `$list = unserialize(stream_get_contents(STDIN), ["allowed_classes" => false]);` +
				`if ($list === false) { fwrite(STDERR, "unserialize"); exit(1); }` +
				`foreach ($list as $e) { if (!is_string($e["expires"])) { exit(2); } } echo serialize($list);`
			if theirs := runPHP(t, php, script, ours); theirs != ours {
				t.Errorf("PHP writes\n%q\nwe write\n%q", theirs, ours)
			}
		})
	}
}

func TestNothingPrintsAPrivateKey(t *testing.T) {
	t.Parallel()
	retired := rotate.Retired{Stored: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}, Expires: 1}
	whole := rotate.Tenant{Pair: retired.Stored, History: []rotate.Retired{retired},
		Read: rotate.Snapshot{Pair: ownCert + pairSeparator + ownKey, History: encodeHistory([]rotate.Retired{retired})}}
	change := rotate.Keys{Stored: whole.Pair, History: whole.History}
	for _, secret := range []any{retired, &retired, []rotate.Retired{retired}, whole, &whole, change, &change, struct{ Inside rotate.Tenant }{whole}} {
		text, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %s %q %x", secret, secret, secret, secret, secret, secret) + string(text)
		if strings.Contains(out, "PRIVATE") || strings.Contains(out, "b3duIGtleQ") || strings.Contains(out, fmt.Sprintf("%x", "PRIVATE")) {
			t.Errorf("%T: %s", secret, out)
		}
	}
}

// runPHP runs code with a line on its standard input, so that keys do not appear in argv.
func runPHP(t *testing.T, php, code, input string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), php, "-n", "-r", code)
	command.Stdin = strings.NewReader(input)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("php: %v", err)
	}
	return string(out)
}
