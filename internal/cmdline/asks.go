package cmdline

import (
	"regexp"
	"strings"
)

// Asks reports whether a command line that cannot be read turns a switch on, as far as can be seen: by an
// argument, else by its variable, else by a line of its options file.
func Asks(name string, args []string, getenv func(string) string) bool {
	file, o := "", optionNamed(name)
	asks, said := false, false
	for i, arg := range args {
		word, value, joined := strings.Cut(arg, "=")
		switch word = strings.TrimLeft(word, "-"); {
		case word == arg: // no option
		case word == o.name, word == o.short && o.short != "":
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
