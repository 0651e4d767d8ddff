package muc

import (
	"os/exec"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

func TestNamesAreThosePHPComputes(t *testing.T) {
	php := testbed.PHP(t)
	out, err := exec.CommandContext(t.Context(), php, "-r",
		`echo sha1(md5("1/core/config/" . md5($argv[1])) . "-mnet"), " ", md5("1 core config");`, "--", identifier).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(out))
	if got := entryName(md5Hex(identifier), "mnet"); got != want[0] {
		t.Errorf("entry is %s, php says %s", got, want[0])
	}
	if got := definitionHash(); got != want[1] || got != "1b088c226629b3fa247ff7ef67dad266" {
		t.Errorf("hash is %s, php says %s", got, want[1])
	}
}

func TestNamesFollowTheSharingOption(t *testing.T) {
	const site = "02778139dbc2455d49e56a627fc9f12c"
	tests := []struct {
		name       string
		conf       configuration
		identifier []string // nil: cannot be named
	}{
		{"by site", configuration{siteIdentifier: site, sharing: 2}, []string{site}},
		{"with all sites", configuration{siteIdentifier: site, sharing: 1}, []string{""}},
		{"all overrides the rest, version too", configuration{siteIdentifier: site, sharing: 15, sharingKey: "k"}, []string{""}},
		{"by a key of the administrator", configuration{siteIdentifier: site, sharing: 8, sharingKey: "blue"}, []string{"blue"}},
		{"by site and key", configuration{siteIdentifier: site, sharing: 10, sharingKey: "blue"}, []string{site + "/blue"}},
		{"an empty key counts as none", configuration{siteIdentifier: site, sharing: 8}, []string{""}},
		{"so does the key 0", configuration{siteIdentifier: site, sharing: 8, sharingKey: "0"}, []string{""}},
		{"by version", configuration{siteIdentifier: site, sharing: 4}, nil},
		{"by site and version", configuration{siteIdentifier: site, sharing: 6}, nil},
		{"before Moodle has written the identifier", configuration{sharing: 2}, []string{md5Hex(identifier), "unknown"}},
		{"the word unknown is taken as it is", configuration{siteIdentifier: "unknown", sharing: 2}, []string{"unknown"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			names, err := test.conf.entryNames(identifier)
			if (err != nil) != (test.identifier == nil) {
				t.Fatalf("error %v", err)
			}
			var want []string
			for _, id := range test.identifier {
				want = append(want, entryName(id, "mnet"), entryName(id, "core"))
			}
			if strings.Join(names, " ") != strings.Join(want, " ") {
				t.Errorf("got %v, want %v", names, want)
			}
		})
	}
}
