package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// generated is what generate can print.
type generated struct {
	word, what string
	text       func() string
}

// generators print the files that are shipped with the command. They use the tables of --help, so
// no file names an option that does not exist, or lacks one that does.
func generators() []generated {
	return []generated{
		{"man", "the manual page", manPage},
		{"bash", "the completion for bash", bashCompletion},
		{"zsh", "the completion for zsh", zshCompletion},
		{"fish", "the completion for fish", fishCompletion},
		{"conf", "a sample options file; every option is commented out", sampleOptionFile},
	}
}

const generateUsage = "renew_mnetkeys generate man|bash|zsh|fish|conf"

// Generate gives the text for the words after generate. Its error is a UsageError.
func Generate(words []string) (string, error) {
	problem, advice := "", "usage: "+generateUsage
	switch {
	case slices.Contains(words, "--help"), slices.Contains(words, "-h"):
		return generateHelp(), nil
	case len(words) == 0:
		problem = "missing argument: " + enumerated(generateWords(), "or")
	case len(words) > 1:
		problem = fmt.Sprintf("unexpected word %q", words[1])
	default:
		for _, g := range generators() {
			if g.word == words[0] {
				return g.text(), nil
			}
		}
		problem = fmt.Sprintf("unknown argument %q", words[0])
		if i := similar(generateWords(), words[0]); i >= 0 {
			advice = "did you mean: renew_mnetkeys generate " + generateWords()[i]
		}
	}
	return "", &UsageError{Problem: problem, Advice: advice}
}

func generateHelp() string {
	var b strings.Builder
	paragraph(&b, "renew_mnetkeys generate: "+extras[0].does)
	fmt.Fprintf(&b, "\nUsage:\n  %s\n\nArguments:\n", generateUsage)
	for _, g := range generators() {
		hanging(&b, commandColumn, g.word, g.what)
	}
	b.WriteString("\nExample:\n  renew_mnetkeys generate conf > renew_mnetkeys.conf\n")
	b.WriteString("\nExit codes:\n  0  printed\n  2  wrong usage\n  3  the result could not be written\n")
	return b.String()
}
