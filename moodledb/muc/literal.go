package muc

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	// notCode is what may say anything: comments, and strings without a variable.
	notCode = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.)*'|"(?:[^"\\$]|\\.)*"|/\*.*?\*/|(?:#|//)(?:[^\n?]|\?+[^\n?>])*`)
	word    = regexp.MustCompile(`\$?\b[A-Za-z_]\w*|[$"` + "`" + `]`)
	// ofLiterals are the words that an array of literals and the guard before it are made of.
	ofLiterals = []string{"php", "defined", "or", "die", "exit", "return", "array", "true", "false", "null", "$configuration"}
)

// literal refuses a configuration that says more than its array of literals, which is all that cache_config_writer writes: what an administrator has put
// in, a getenv() or $CFG->x, means something else here than in the site.
func literal(file string, source []byte) error {
	code := notCode.ReplaceAllFunc(source, func(found []byte) []byte { return bytes.Repeat([]byte("\n"), bytes.Count(found, []byte("\n"))) })
	for _, at := range word.FindAllIndex(code, -1) {
		if w := string(code[at[0]:at[1]]); !slices.Contains(ofLiterals, strings.ToLower(w)) {
			return &ConfigError{File: file, Line: 1 + bytes.Count(code[:at[0]], []byte("\n")), Problem: "is computed, which only PHP can do"}
		}
	}
	return nil
}
