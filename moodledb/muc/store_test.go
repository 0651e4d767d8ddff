package muc

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A new store is a file that adds its plugin; this names what else has to change with it.
func TestEveryPluginThatIsKnownIsInTheDocumentAndHasNoManualAdvice(t *testing.T) {
	document, err := os.ReadFile("../../docs/caches.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (.*) \| the tool itself \|$`).FindSubmatch(document)
	if row == nil {
		t.Fatal("docs/caches.md has no row of the stores that the tool itself purges")
	}
	for plugin := range plugins {
		if !strings.Contains(strings.ToLower(string(row[1])), plugin) {
			t.Errorf("docs/caches.md does not say that the tool itself purges %s", plugin)
		}
		if _, manual := adviceOf[plugin]; manual {
			t.Errorf("adviceOf has advice for %s, which needs none", plugin)
		}
	}
}
