package cmdline

import (
	"regexp"
	"strings"
)

// OptionOf is the option that an argument names, "" if it names none. One dash is as good as two, as
// in package flag: letters are never read together, so a long name with one dash is not ambiguous.
// joined says that the argument has the option's value, too.
func OptionOf(arg string) (name string, joined bool) {
	dashed, _, joined := strings.Cut(arg, "=")
	name = strings.TrimLeft(dashed, "-")
	if dashes := len(dashed) - len(name); dashes < 1 || dashes > 2 {
		return "", joined
	}
	return name, joined
}

// Asks reports whether a command line that cannot be read turns a switch on, as far as can be seen:
// by an argument, else by its variable, else by a line of its options file.
func Asks(name string, args []string, getenv func(string) string) bool {
	file, o := "", optionNamed(name)
	asks, said := false, false
	for i, arg := range args {
		word, joined := OptionOf(arg)
		_, value, _ := strings.Cut(arg, "=")
		switch {
		case word == "":
		case word == o.name, word == o.short:
			asks, said = !joined || switches[strings.ToLower(value)] != "false", true
		case word == "options" && joined:
			file = value
		case word == "options" && i+1 < len(args):
			file = args[i+1]
		}
	}
	if value := getenv(o.variable()); said || value != "" {
		return asks || !said && switches[strings.ToLower(value)] != "false"
	}
	if file == "" {
		file = getenv(optionNamed("options").variable())
	}
	if file == "" {
		file = defaultOptionFile
	}
	text, err := readTrusted(file)
	line := regexp.MustCompile(`(?mi)^[\s-]*` + name + `\s*(=\s*(yes|on|true|1)\s*)?$`)
	return err == nil && line.Match(text)
}
