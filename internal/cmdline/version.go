package cmdline

import (
	"runtime/debug"
	"strings"
)

// Version tells what was built: the release, its revision and the Go it was built with.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

// versionOf reads what go build stamps: the tag of the revision, or a version made
// of its time and hash. Without git, as in an unpacked source, it is "devel".
func versionOf(info *debug.BuildInfo) string {
	version, revision, dirty := strings.TrimSuffix(info.Main.Version, "+dirty"), "", ""
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return version + revision + dirty + " " + info.GoVersion
}
