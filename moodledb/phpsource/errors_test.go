package phpsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestErrorsGivePlaceAndNoContent has the word SECRET in every source.
func TestErrorsGivePlaceAndNoContent(t *testing.T) {
	tests := []struct {
		name, source string
		line         int
	}{
		{"a string without end", "<?php\n\n$a = 'SECRET;", 3},
		{"a template without end", "<?php\n$a = \"SECRET {$b", 2},
		{"double quotes without end", "<?php\n$a = \"SECRET", 2},
		{"an escape that is no character", "<?php\n$a = 'SECRET' . \"\\u{110000}\";", 2},
		{"an escape of half a character", "<?php\n$a = 'SECRET' . \"\\u{d800}\";", 2},
		{"a comment without end", "<?php\n/* SECRET", 2},
		{"a heredoc without end", "<?php\n$a = <<<SECRET\nSECRETS\n", 2},
		{"a bracket that is not closed", "<?php\n$a = ['SECRET';", 2},
		{"a bracket of the wrong kind", "<?php\n$a = ('SECRET'];", 2},
		{"a bracket too many", "<?php 'SECRET');", 1},
		{"nesting without end", "<?php $a = " + strings.Repeat("[", 1000) + "SECRET" + strings.Repeat("]", 1000) + ";", 1},
		{"nesting of strings", "<?php $a = " + strings.Repeat(`"{$a[`, 1000) + "SECRET" + strings.Repeat(`]}"`, 1000) + ";", 1},
		{"nesting of signs", "<?php $a = " + strings.Repeat("!", 1000) + "SECRET;", 1},
		{"nesting of statements", "<?php " + strings.Repeat("if (1) ", 1000) + "$a = SECRET;", 1},
		{"a file that includes itself for ever", "<?php include __FILE__; // SECRET", 1},
		{"a file that includes many", "<?php if (!isset($x)) { $x = 1; " + strings.Repeat("include '/a.php'; ", 70) + "} // SECRET", 1},
		{"strings that double", "<?php $a = 'SECRET';" + strings.Repeat("$a .= $a;", 40), 1},
		{"arrays that are copied", "<?php " + strings.Repeat("$a[]=1; $b=$a;", 50_000) + "SECRET;", 1},
		{"arrays with many keys", "<?php " + strings.Repeat("$i .= 'x'; $a[$i]=1;", 20_000) + "SECRET;", 1},
		{"a file that is too large", "<?php //" + strings.Repeat("SECRET", MaxSize/6), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := []byte(test.source)
			e := Env{Read: func(string) ([]byte, error) { return source, nil }}
			_, err := Parse("/srv/config.php", source, e)
			var syntax *ComputedError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a ComputedError", err)
			}
			if syntax.File != "/srv/config.php" || syntax.Line != test.line {
				t.Errorf("error at %s:%d, want line %d", syntax.File, syntax.Line, test.line)
			}
			if strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error shows content: %v", err)
			}
		})
	}
}

func TestNothingPrintsAValue(t *testing.T) {
	a, err := Parse("/c.php", []byte(`<?php $CFG = new stdClass(); $CFG->dbpass = 'SECRET'; $CFG->o = ['SECRET']; $CFG->n = 4711;`), Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{a.Variable("CFG"), a.Variable("CFG").Get("dbpass"), a.Variable("CFG").Get("n"), a.Variable("CFG").Entries()} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "SECRET") || strings.Contains(got, "4711") || strings.Contains(got, "534543524554") {
				t.Errorf("%s shows %s", verb, got)
			}
		}
	}
	if got, err := json.Marshal(a.Variable("CFG").Entries()); err != nil || strings.Contains(string(got), "SECRET") || strings.Contains(string(got), "4711") {
		t.Errorf("JSON shows %s, %v", got, err)
	}
}
