package muc

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	// notCode matches what may contain any text: comments, and strings without a variable.
	notCode = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.)*'|"(?:[^"\\$]|\\.)*"|/\*.*?\*/|(?:#|//)(?:[^\n?]|\?+[^\n?>])*`)
	word    = regexp.MustCompile(`\$?\b[A-Za-z_]\w*|[$"` + "`" + `]`)
	// ofLiterals are the words that may occur in an array of literals and in the guard before it.
	ofLiterals = []string{"php", "defined", "or", "die", "exit", "array", "true", "false", "null", "$configuration"}
)

// literal refuses a configuration that contains more than its array of literals, which is all that
// cache_config_writer writes: a getenv() or $CFG->x that an administrator has added means something
// else here than in the site.
func literal(file string, source []byte) error {
	code := notCode.ReplaceAllFunc(source, func(found []byte) []byte { return bytes.Repeat([]byte("\n"), bytes.Count(found, []byte("\n"))) })
	for _, at := range word.FindAllIndex(code, -1) {
		if w := string(code[at[0]:at[1]]); !slices.Contains(ofLiterals, strings.ToLower(w)) {
			return &ConfigError{File: file, Line: 1 + bytes.Count(code[:at[0]], []byte("\n")), Problem: "is computed, which only PHP can do"}
		}
	}
	return nil
}
