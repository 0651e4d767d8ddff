package cmdline

import (
	"cmp"
	"regexp"
	"strings"
)

// OptionOf is the option that an argument names, "" if it names none. One dash is as good as two, as
// in package flag: letters are never read together, so a long name with one dash is not ambiguous.
// More dashes are malformed, and it is clear which option they mean. joined says that the argument has
// the option's value, too.
func OptionOf(arg string) (name string, joined bool) {
	dashed, _, joined := strings.Cut(arg, "=")
	if name = strings.TrimLeft(dashed, "-"); name == dashed {
		return "", joined
	}
	return name, joined
}

// Asks reports whether a command line that cannot be read turns a switch on, as far as can be seen:
// by an argument, else by its variable, else by a line of its options file.
func Asks(name string, args []string, lookup func(string) (string, bool)) bool {
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
	if said {
		return asks
	}
	if value, found := lookup(o.variable()); found { // an empty one turns it off
		return value != "" && switches[strings.ToLower(value)] != "false"
	}
	if file == "" {
		file, _ = lookup(optionNamed("options").variable())
	}
	text, _ := readTrusted(cmp.Or(file, defaultOptionFile))
	lines := regexp.MustCompile(`(?mi)^[\s-]*`+name+`\s*(?:=\s*(\S*)\s*)?$`).FindAllStringSubmatch(string(text), -1)
	return len(lines) > 0 && switches[strings.ToLower(lines[len(lines)-1][1])] != "false"
}
