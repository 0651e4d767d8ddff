package cmdline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completion is an option as a shell completes it.
type completion struct {
	long, short string   // without dashes; short may be ""
	value       string   // what --help calls its value, "" for a switch
	does        string   // what --help says of it
	words       []string // what the value is one of, where it is one of few
	file        bool     // the value is a path
	repeats     bool
	of          []string // the commands that take it, nil for all
}

// completions are the options of all commands, in the order of --help.
func completions() []completion {
	var list []completion
	for _, s := range sections {
		for _, o := range optionTable() {
			if o.section != s {
				continue
			}
			line := optionLine(o.flag)
			c := completion{long: o.flag.Names()[0], does: line[1], words: enumerated(o.flag.Names()[0]), of: o.words()}
			if names := o.flag.Names(); len(names) > 1 {
				c.short = names[1]
			}
			_, c.value, _ = strings.Cut(line[0], "=")
			c.file = c.value == "PATH" || c.value == "FILE"
			_, c.repeats = o.flag.(*cli.StringSliceFlag)
			list = append(list, c)
		}
	}
	return append(list,
		completion{long: "help", short: "h", does: "print this and exit"},
		completion{long: "version", short: "v", does: "print the version and exit"})
}

// enumerated are the values of an option that takes one of few, or words besides
// its usual values; --help names them in its sentence.
func enumerated(option string) []string {
	return map[string][]string{
		"push":         {"auto", "keyswap"},
		"prove":        {"database", "calls", "sample=1"},
		"bindhost":     {"subs"},
		"renew-before": {"auto"},
		"key-bits":     {"2048", "3072", "4096"},
		"self-check":   {"require", "auto", "off"},
		"log-format":   {"console", "json"},
	}[option]
}

// group is some options that the same commands take.
type group struct {
	of      []string // nil for all
	options []completion
}

// groups gathers the options by the commands that take them, all commands first.
func groups() []group {
	list := []group{{}}
	for _, c := range completions() {
		i := slices.IndexFunc(list, func(g group) bool { return slices.Equal(g.of, c.of) })
		if i < 0 {
			i = len(list)
			list = append(list, group{of: c.of})
		}
		list[i].options = append(list[i].options, c)
	}
	return list
}

// commandWords are the commands as they are typed: renew is not.
func commandWords() []string {
	var words []string
	for _, c := range Commands[1:] {
		words = append(words, string(c.Name))
	}
	return words
}

// generateWords are those that go behind generate.
func generateWords() []string {
	var words []string
	for _, g := range generators() {
		words = append(words, g.word)
	}
	return words
}

// flags are the ways to write the option, as in --host and -H.
func (c completion) flags() []string {
	if c.short == "" {
		return []string{"--" + c.long}
	}
	return []string{"--" + c.long, "-" + c.short}
}
