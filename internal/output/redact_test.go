package output

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"renew_mnetkeys/rotate"
)

func redacted(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	w := new(Redaction).Writer(&b)
	for _, piece := range strings.SplitAfter(text, ".") { // names come in pieces
		if _, err := io.WriteString(w, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNamesOfHostsAreReplaced(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example.org/moodle answered":                        "https://host1.example/moodle answered",
		"https://A.example.org and b.example.org and a.EXAMPLE.org":    "https://host1.example and host2.example and host1.example",
		"http://intranet/moodle":                                       "http://host1.example/moodle",
		"dial tcp: lookup db1 on 10.1.2.3:53: no such host":            "dial tcp: lookup host1.example on host2.example:53: no such host",
		"database moodle on host db1 and (on host localhost)":          "database moodle on host host1.example and (on host localhost)",
		"moodle:secret@tcp(db1:3306)/moodle":                           "moodle:secret@tcp(host1.example:3306)/moodle",
		"dial tcp [2001:db8::5]:443 and db1:3306":                      "dial tcp [host1.example]:443 and host2.example:3306",
		"lookup web1.bigcorp on 10.1.2.3:53, web1.bigcorp":             "lookup host1.example on host2.example:53, host1.example",
		"https://moodle.usm.md, moodle.usm.md, https://usm.md":         "https://host1.example, host1.example, https://host2.example",
		"remove it from --node and from a --cache-hook":                "remove it from --node and from a --cache-hook",
		"connect to host 2001:db8::7 port 22, fe80::1 at 12:30:45":     "connect to host host1.example port 22, host2.example at 12:30:45",
		"2001:db8:0:0:0:0:0:1, ::ffff:10.1.2.3, ::1, A::b, cache::get": "host1.example, host2.example, ::1, host3.example, cache::get",
		"open /etc/ssl/www.example.org.pem: no such file":              "open /etc/ssl/host1.example.pem: no such file",
		"--node=usm.md --host=https://usm.md, see docs/recovery.md":    "--node=host1.example --host=https://host1.example, see docs/recovery.md",
		"mnet.html, php8.2-fpm.service, php8.2-fpm, cron.sh":           "mnet.html, php8.2-fpm.service, php8.2-fpm, cron.sh",
		"https://schule-köln.de/ and xn--kln-sna.de":                   "https://host1.example/ and host2.example",
		"read /var/www/moodle/config.php: line 7":                      "read /var/www/moodle/config.php: line 7",
		"http://sécrèt.example; http://b.example, and c.example.":      "http://host1.example; http://host2.example, and host3.example.",
		"correct the row (user.mnethostid, config.mnet_localhost_id)":  "correct the row (user.mnethostid, config.mnet_localhost_id)",
		"connect 127.0.0.1:3306, localhost:6379":                       "connect 127.0.0.1:3306, localhost:6379",
		"took 1.5 s at 12:30, go1.26.8, fault_7023, 3.11":              "took 1.5 s at 12:30, go1.26.8, fault_7023, 3.11",
		`{"error":"first\nb.example.org\u0026c.example.org"}`:          `{"error":"first\nhost1.example\u0026host2.example"}`,
		"the last line, without an end: a.example.org":                 "the last line, without an end: host1.example",
		"": "",
	} {
		if got := redacted(t, text); got != want {
			t.Errorf("%q\nbecame %q\nand not %q", text, got, want)
		}
	}
}

func TestARedactedDocumentIsStillJSON(t *testing.T) {
	text, err := json.Marshal(map[string]string{"a.example.org": "\t<https://b.example.org/?a&b>\n\\\"c.example.org\u2028"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := json.Unmarshal([]byte(redacted(t, string(text)+"\n")), &got); err != nil {
		t.Fatalf("%v: %s", err, redacted(t, string(text)))
	}
	if want := "\t<https://host2.example/?a&b>\n\\\"host3.example\u2028"; got["host1.example"] != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// What the tables say of reasons names no site, and must stay readable.
func TestNoAdviceIsTakenForAName(t *testing.T) {
	for _, row := range rotate.Reasons {
		for _, text := range []string{row.Means, row.Next, row.NextLocal} {
			if got := redacted(t, text); got != text {
				t.Errorf("%s: %s", row.Code, got)
			}
		}
	}
}
