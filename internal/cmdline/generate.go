package cmdline

import (
	"fmt"
	"strings"
)

// generated is what generate can print.
type generated struct {
	word, what string
	text       func() string
}

// generators print what ships beside the command, from the tables that --help is
// made of: so none of it knows an option that is not there, or lacks one that is.
func generators() []generated {
	return []generated{
		{"man", "the manual page", manPage},
		{"bash", "the completion of bash", bashCompletion},
		{"zsh", "the completion of zsh", zshCompletion},
		{"fish", "the completion of fish", fishCompletion},
		{"conf", "a file of options, all of them commented out", sampleOptionFile},
	}
}

// generateDoes is its line in --help.
const generateDoes = "print the man page, a completion or a sample file of options: man, bash, zsh, fish, conf"

const generateUsage = "renew_mnetkeys generate man|bash|zsh|fish|conf"

// Generate gives the text that the words after generate ask for. Its error is a UsageError.
func Generate(words []string) (string, error) {
	var problem string
	switch {
	case len(words) == 0:
		problem = "generate wants to know what"
	case len(words) > 1:
		problem = fmt.Sprintf("unexpected word %q", words[1])
	default:
		for _, g := range generators() {
			if g.word == words[0] {
				return g.text(), nil
			}
		}
		if words[0] == "--help" || words[0] == "-h" {
			return generateHelp(), nil
		}
		problem = fmt.Sprintf("%q cannot be generated", words[0])
	}
	return "", &UsageError{Problem: problem, Advice: generateUsage}
}

func generateHelp() string {
	var b strings.Builder
	fmt.Fprintf(&b, "renew_mnetkeys generate: %s\n\nUsage:\n  %s\n\n", generateDoes, generateUsage)
	for _, g := range generators() {
		fmt.Fprintf(&b, "  %-6s %s\n", g.word, g.what)
	}
	return b.String()
}
