package packaging_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	usesLine   = regexp.MustCompile(`(?m)^ *-? *uses: *(.*)$`)
	pinned     = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$`)
	leastRight = regexp.MustCompile(`(?m)^permissions:\n  contents: read\n[a-z]`)
)

func TestWorkflowsPinTheirActionsAndMayOnlyRead(t *testing.T) {
	paths, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(paths) != 3 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, path := range paths {
		text := file(t, path)
		actions := usesLine.FindAllStringSubmatch(text, -1)
		if len(actions) == 0 || !leastRight.MatchString(text) {
			t.Errorf("%s: %d actions, or it may do more than read", path, len(actions))
		}
		for _, action := range actions {
			if !pinned.MatchString(action[1]) {
				t.Errorf("%s: %s is not pinned to a revision, with its version behind it", path, action[1])
			}
		}
		if writes := strings.Count(text, ": write"); writes > strings.Count(path, "release.yml") {
			t.Errorf("%s has %d rights to write", path, writes)
		}
	}
}
