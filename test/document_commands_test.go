package test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
)

// shellWord is a word of a shell's command line, some of it perhaps in quotes, or an operator.
var shellWord = regexp.MustCompile(`(?:[^\s'"&|;#]|'[^']*'|"[^"]*")+|[&|;#]+`)

// commandsIn are the command lines of the tool in a block of code, as the tool gets them.
func commandsIn(block string) [][]string {
	var found [][]string
	for line := range strings.Lines(block) {
		if strings.HasPrefix(line, "install ") || strings.HasPrefix(line, "COPY ") || strings.HasPrefix(line, "renew_mnetkeys renews ") {
			continue // names the file, or begins the help
		}
		var args []string
		for _, word := range append(shellWord.FindAllString(line, -1), ";") {
			switch {
			case strings.Trim(word, "&|;#") == "":
				if args != nil && !strings.ContainsAny(strings.Join(args, " "), "[…") {
					found = append(found, args)
				}
				args = nil
			case args != nil:
				args = append(args, strings.NewReplacer(`'`, "", `"`, "").Replace(word))
			case word == "renew_mnetkeys" || word == "/usr/bin/renew_mnetkeys":
				args = []string{"renew_mnetkeys"}
			}
			if strings.HasPrefix(word, "#") {
				break
			}
		}
	}
	return found
}

// A command that a reader pastes must be one that the tool takes.
func TestTheToolTakesEveryCommandOfADocument(t *testing.T) {
	checked := 0
	for _, name := range documents(t) {
		for _, block := range fenced.FindAllStringSubmatch(textOf(t, name), -1) {
			for _, args := range commandsIn(block[1]) {
				checked++
				cmd, rest := cmdline.CommandOf(args)
				taken := false
				app := cmdline.NewApp(cmd, io.Discard, io.Discard, func(cmdline.Options) { taken = true })
				if err := app.RunContext(t.Context(), rest); err != nil || !taken {
					t.Errorf("%s: %q: %v", name, args, err)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d commands were found", checked)
	}
}
