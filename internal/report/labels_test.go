package report

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLabelsAreCutInTheMiddle(t *testing.T) {
	names := []string{"https://a.example", "http://b.example", "institut-universitaire-de-technologie-001", "https://größere-hochschule-für-alles-mögliche.example"}
	want := []string{"a.example", "http://b.example", "institut-unive…chnologie-001", "größere-hochsc…liche.example"}
	got := labels(names, "https://")
	for i := range want {
		if utf8.RuneCountInString(names[i]) > widest && utf8.RuneCountInString(got[i]) != widest {
			t.Errorf("%q has another length than %d", got[i], widest)
		}
		if got[i] != want[i] {
			t.Errorf("%s is labelled %q, want %q", names[i], got[i], want[i])
		}
	}
}

func TestTwoNamesNeverHaveOneLabel(t *testing.T) {
	long := strings.Repeat("x", 40)
	for name, format := range map[string]string{
		"the number is at the end":         "https://" + long + "%03d",
		"the number is at the beginning":   "https://%03d" + long,
		"a path of all is behind it":       "https://" + long[:20] + "%03d.moodle.example/moodle",
		"the number is far from both ends": "https://" + long + "%03d" + long,
	} {
		t.Run(name, func(t *testing.T) {
			names := []string{"https://a", "a", "https://" + long, long}
			for i := range 300 {
				names = append(names, fmt.Sprintf(format, i))
			}
			nameOf := map[string]string{}
			for i, l := range labels(names, "https://") {
				if nameOf[l] != "" {
					t.Fatalf("%s and %s are both labelled %q", nameOf[l], names[i], l)
				}
				nameOf[l] = names[i]
				if n := utf8.RuneCountInString(l); n > widest+len(" (300)") {
					t.Errorf("the label %q has %d letters", l, n)
				}
			}
		})
	}
}
