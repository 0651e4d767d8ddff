package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// spoken are the packages of the product whose texts people read.
var spoken = []string{"rotate", "peers", "moodledb", "envelope", "internal"}

// notSpoken matches texts in the source that people do not read: SQL, PHP, globs, what is sent.
var notSpoken = regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|SET|SHOW|START|RELEASE)\b|<\?php|^\s*<|\$[a-z_]+\s*=|^[\x00-\x7f]*\{\}`)

// hardWords are words and phrases that readers with English as a second language have to read
// twice, each with its replacement.
var hardWords = []struct{ pattern, instead string }{
	{`nearly over|\bis over\b|are over\b`, "expires soon, expired"},
	{`\bits end\b|\bends in\b`, "expiry, expires in"},
	{`\bwants?\b`, "needs, expects"},
	{`\bstands? (in|for|behind|before|there|twice)\b|\bstood\b`, "is"},
	{`\b(of|to|by|for) us\b|\bour(s)?\b|\bwe\b`, "this site"},
	{`so long before|\bso many\b`, "N, this long before"},
	{`\bte(ll|lls|lling)\b|\btold\b`, "push, send, show, say"},
	{`\bhold(s|ing)?\b|\bheld\b`, "has, uses"},
	{`\b(no|some)body\b|\bno ?one\b`, "name who"},
	{`(?:^|[^r\s]e |[^e\s] )is no \w`, "is not a"},
	{`where (it|this|that|they|none|nothing) `, "if"},
	{`\bas yet\b|\bat hand\b|\bcomes? to\b|\bcame to\b|\bshall\b|what is behind`, "plain words"},
	{`\bown (site|row|host row|side)\b|\bweb side\b`, "local site, local host row, web server"},
	{`longer than nothing|\bby hand\b|\banew\b|\bthe whole\b|\bmanner\b|\bformer\b`, "greater than zero, manually, again, complete, previous"},
	{`must be nothing`, "must not be"},
}

// literal is a string in the source of the product.
type literal struct {
	text string
	at   token.Position
}

// literals are all strings in the source of the product's packages.
func literals(t *testing.T) (found []literal) {
	t.Helper()
	files := token.NewFileSet()
	for _, top := range spoken {
		err := filepath.WalkDir(filepath.Join(testbed.Root(t), top), func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() && (d.Name() == "peertest" || d.Name() == "testbed" || d.Name() == "killsteps" || d.Name() == "testdata") {
				return fs.SkipDir
			}
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if text, err := strconv.Unquote(l.Value); err == nil {
						found = append(found, literal{text, files.Position(l.Pos())})
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// messages are the texts of the product that people may read, with their positions.
func messages(t *testing.T) map[string]token.Position {
	t.Helper()
	found := map[string]token.Position{}
	for _, l := range literals(t) {
		if strings.Contains(strings.TrimSpace(l.text), " ") && !notSpoken.MatchString(l.text) {
			found[l.text] = l.at
		}
	}
	if len(found) < 500 {
		t.Fatalf("only %d texts were found", len(found))
	}
	return found
}

func TestMessagesAreInPlainWords(t *testing.T) {
	t.Parallel()
	all := messages(t)
	for _, word := range hardWords {
		pattern := regexp.MustCompile(`(?i)` + word.pattern)
		for text, at := range all {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s: %q in %q: better %s", at, found, text, word.instead)
			}
		}
	}
}

// Operators read these documents. Code and what is quoted are left out.
func TestDocumentsAreInPlainWords(t *testing.T) {
	t.Parallel()
	forOperators := []string{"README.md", "SECURITY.md", "packaging/README.md"}
	for _, name := range documents(t) {
		dir, file := filepath.Split(name)
		if dir == "docs/" && file != "architecture.md" {
			forOperators = append(forOperators, name)
		}
	}
	quoted := regexp.MustCompile("`[^`]*`|\"[^\"\n]*\"|\\]\\([^)]*\\)")
	for _, name := range forOperators {
		lines := strings.Split(fenced.ReplaceAllStringFunc(textOf(t, name), func(block string) string {
			return strings.Repeat("\n", strings.Count(block, "\n"))
		}), "\n")
		for i, line := range lines {
			line = quoted.ReplaceAllString(line, "`x`")
			for _, word := range hardWords {
				if found := regexp.MustCompile(`(?i)` + word.pattern).FindString(line); found != "" {
					t.Errorf("%s:%d says %q: better %s", name, i+1, found, word.instead)
				}
			}
		}
	}
}
