package report

import "testing"

func TestShortNamesLeaveOutWhatMostShareAndNeverMeanTwoSites(t *testing.T) {
	sites := []site{{name: "https://a.example.org"}, {name: "https://b.example.org"}, {name: "https://c.example.org"},
		{name: "http://a.example.org"}, {name: "https://a.example.com"}}
	s := newShortener(sites)
	want := []string{"a", "b", "c", "http://a.example.org", "https://a.example.com"}
	for i, site := range sites {
		if got := s.short(site.name); got != want[i] {
			t.Errorf("%s is shortened to %q, want %q", site.name, got, want[i])
		}
	}
	for name, c := range map[string]struct {
		sites []string
		whole string
	}{
		"half is not most":             {[]string{"https://a.example.org", "https://a.example.com"}, "https://a.example.org"},
		"one alone keeps its name":     {[]string{"https://a.example.org"}, "https://a.example.org"},
		"a path is part of the name":   {[]string{"https://a.example.org", "https://b.example.org", "https://c.example.org/a"}, "https://c.example.org/a"},
		"a port is part of the name":   {[]string{"https://a.example.org", "https://b.example.org", "https://a.example.org:8443"}, "https://a.example.org:8443"},
		"a name without a domain":      {[]string{"https://a.example.org", "https://b.example.org", "https://moodle"}, "https://moodle"},
		"what is no wwwroot stays too": {[]string{"https://a.example.org", "https://b.example.org", "a"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			var sites []site
			for _, n := range c.sites {
				sites = append(sites, site{name: n})
			}
			if got := newShortener(sites).short(c.whole); got != c.whole {
				t.Errorf("%s is shortened to %q", c.whole, got)
			}
		})
	}
}
