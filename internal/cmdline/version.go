package cmdline

import (
	"cmp"
	"runtime/debug"
	"slices"
	"strings"
)

// Build is what the build knew about itself. A field is empty if it is not known.
type Build struct {
	Release  string // 1.0.0
	Revision string // of git, complete, followed by -dirty if files were changed since
	Date     string // of that revision: 2006-01-02, UTC
}

// Built is set once, by main, before anything reads it.
var Built Build

// Version says what was built: the release first, then its revision, the revision's date, and the
// Go version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: "unknown Go"}
	}
	return Built.describe(info)
}

func (b Build) describe(info *debug.BuildInfo) string {
	if b.Revision == "" {
		b = b.stamped(info)
	}
	words := []string{"revision " + cmp.Or(b.Revision, "unknown"), b.Date, info.GoVersion}
	if b.Date == "" {
		words = slices.Delete(words, 1, 2)
	}
	return cmp.Or(strings.TrimSpace(b.Release), "devel") + " (" + strings.Join(words, ", ") + ")"
}

// stamped reads revision and date from what go build found in git.
func (b Build) stamped(info *debug.BuildInfo) Build {
	stamps := map[string]string{}
	for _, s := range info.Settings {
		stamps[s.Key] = s.Value
	}
	b.Revision = stamps["vcs.revision"]
	b.Date, _, _ = strings.Cut(stamps["vcs.time"], "T")
	if b.Revision != "" && stamps["vcs.modified"] == "true" {
		b.Revision += "-dirty"
	}
	return b
}
