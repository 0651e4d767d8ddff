package envelope_test

import (
	"testing"

	"renew_mnetkeys/envelope"
)

func TestWhichWwwrootsNameOneSite(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example", "https://a.example", true},
		{"https://a.example/", "https://a.example", true},
		{"HTTPS://A.example/moodle", "https://a.EXAMPLE/moodle/", true},
		{"https://a.example/Moodle", "https://a.example/moodle", false},
		{"https://a.example/T1", "https://a.example/t1", false},
		{"http://a.example", "https://a.example", false},
		{"https://a.example", "https://a.example:8443", false},
		{"", "", true},
		{"", "https://a.example", false},
		{"nonsense", "NONSENSE", false},
	} {
		if got := envelope.SameWwwroot(c.a, c.b); got != c.same {
			t.Errorf("SameWwwroot(%q, %q) is %v", c.a, c.b, got)
		}
	}
}
