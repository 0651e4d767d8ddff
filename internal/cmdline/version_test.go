package cmdline

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheVersionNamesWhatIsKnownOfTheBuild(t *testing.T) {
	stamps := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2030-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}
	for name, c := range map[string]struct {
		build    Build
		settings []debug.BuildSetting
		want     string
	}{
		"by the linker":                {Build{"1.0.0\n", "def", "2029-12-31"}, nil, "1.0.0 (revision def, 2029-12-31, go1.99)"},
		"by the linker, before git":    {Build{"1.0.0\n", "def", "2029-12-31"}, stamps, "1.0.0 (revision def, 2029-12-31, go1.99)"},
		"by git":                       {Build{Release: "1.0.0\n"}, stamps, "1.0.0 (revision abc-dirty, 2030-01-02, go1.99)"},
		"by nothing, as in a worktree": {Build{Release: "1.0.0\n"}, nil, "1.0.0 (revision unknown, go1.99)"},
		"in a test":                    {Build{}, nil, "devel (revision unknown, go1.99)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.build.describe(&debug.BuildInfo{GoVersion: "go1.99", Settings: c.settings}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheManPageNamesTheReleaseAlone(t *testing.T) {
	was := Built
	t.Cleanup(func() { Built = was })
	Built = Build{Release: "7.8.9\n", Revision: "abc"}
	if release, _, _ := strings.Cut(Version(), " "); release != "7.8.9" {
		t.Errorf("the release is %q", release)
	}
}
