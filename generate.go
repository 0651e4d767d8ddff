package main

import (
	"fmt"
	"io"
	"strings"

	"renew_mnetkeys/rotate"
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

// generate prints one of generators to stdout, and gives the exit code. args are
// the words behind generate.
func generate(args []string, stdout, stderr io.Writer) int {
	var problem string
	switch {
	case len(args) == 0:
		problem = "generate wants to know what"
	case len(args) > 1:
		problem = fmt.Sprintf("unexpected word %q", args[1])
	default:
		for _, g := range generators() {
			if g.word == args[0] {
				return printGenerated(g.text(), stdout)
			}
		}
		if args[0] == "--help" || args[0] == "-h" {
			return printGenerated(generateHelp(), stdout)
		}
		problem = fmt.Sprintf("%q cannot be generated", args[0])
	}
	printError(stderr, &usageError{problem: problem, hint: generateUsage})
	return rotate.ExitUsage
}

// printGenerated leaves it to results to fail where half a page would be installed: on a
// full disk.
func printGenerated(text string, stdout io.Writer) int {
	_, _ = io.WriteString(stdout, text)
	return rotate.ExitOK
}

func generateHelp() string {
	var b strings.Builder
	fmt.Fprintf(&b, "renew_mnetkeys generate: %s\n\nUsage:\n  %s\n\n", generateDoes, generateUsage)
	for _, g := range generators() {
		fmt.Fprintf(&b, "  %-6s %s\n", g.word, g.what)
	}
	return b.String()
}
