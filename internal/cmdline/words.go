package cmdline

import (
	"fmt"
	"slices"
	"strings"
)

// extras are the words of the command line that are not commands: they work on no tenant.
var extras = []struct{ word, does string }{
	{"generate", "print the man page, a shell completion or a sample options file"},
	{"help", "show this help, or the help of a command: help COMMAND"},
	{"version", "print the version"},
}

// commandWords are the commands as they are typed, without renew.
func commandWords() []string {
	var words []string
	for _, c := range Commands[1:] {
		words = append(words, string(c.Name))
	}
	return words
}

// extraWords are the words of extras.
func extraWords() []string {
	var words []string
	for _, e := range extras {
		words = append(words, e.word)
	}
	return words
}

// Arguments rewrites the words help and version as options: help COMMAND and COMMAND help are
// COMMAND --help.
func Arguments(args []string) []string {
	word := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	// These have no help of their own.
	general := word(2) == string(Commands[0].Name) || word(2) == "help" || word(2) == "version"
	switch {
	case word(1) == "help" && len(args) == 2:
		return []string{args[0], "--help"}
	case word(1) == "help" && general, word(1) == "version" && word(2) == "help":
		return slices.Concat(args[:1], []string{"--help"}, args[3:])
	case word(1) == "version":
		return slices.Concat(args[:1], []string{"--version"}, args[2:])
	case word(1) == "help":
		return slices.Concat(args[:1], args[2:3], []string{"--help"}, args[3:])
	case word(2) == "help" && !strings.HasPrefix(word(1), "-"):
		return slices.Concat(args[:2], []string{"--help"}, args[3:])
	}
	return args
}

// CommandOf removes the command's word from the command line.
func CommandOf(args []string) (Command, []string) {
	if len(args) > 1 {
		for _, cmd := range Commands[1:] {
			if args[1] == string(cmd.Name) {
				return cmd, slices.Concat(args[:1], args[2:])
			}
		}
	}
	return Commands[0], args
}

// BehindHelp explains a stray word behind --help or --version, behind which package cli looks at
// nothing; nil if there is none. A command behind --help is none.
func BehindHelp(cmd Command, args []string) error {
	if len(args) < 3 || strings.HasPrefix(args[2], "-") {
		return nil
	}
	switch strings.TrimLeft(args[1], "-") {
	case "help", "h":
		if cmd.Name == Commands[0].Name && slices.Contains(slices.Concat(commandWords(), extraWords()), args[2]) {
			return nil
		}
	case "version", "v":
	default:
		return nil
	}
	return &UsageError{Problem: fmt.Sprintf("unexpected word %q", args[2]), Advice: "leave the word out; see " + cmd.Line() + " --help"}
}

// Line is the beginning of a command line for the command.
func (c Command) Line() string {
	if c.Name == Commands[0].Name {
		return "renew_mnetkeys"
	}
	return "renew_mnetkeys " + string(c.Name)
}

// strayWord explains the first word that is not an option. A command at the right place would have
// been removed before.
func strayWord(cmd Command, words []string) error {
	renews := cmd.Name == Commands[0].Name
	known := slices.Concat(commandWords(), extraWords())
	name, _, _ := strings.Cut(words[0], "=")
	usage := &UsageError{Problem: fmt.Sprintf("unexpected word %q", words[0])}
	option := optionNamed(name)
	switch meant := similar(known, words[0]); {
	case words[0] == string(Commands[0].Name):
		usage.Advice = "leave the word out: without a command the key is renewed"
	case renews && slices.Contains(known, words[0]):
		usage.Advice = "the command comes first: renew_mnetkeys " + words[0] + " …"
	case strings.HasPrefix(words[0], "http"):
		usage.Advice = cmd.Line() + " --host=" + strings.Join(words, " ")
	case option != nil && option.takenBy(cmd.Name):
		usage.Advice = "did you mean --" + name + "?"
	case renews && option != nil: // of another command
		usage.Advice = unknownOption(cmd, name).Advice
	case renews:
		usage.Problem = fmt.Sprintf("unknown command %q", words[0])
		usage.Advice = "the commands are " + enumerated(known, "and")
		if meant >= 0 {
			usage.Advice = "did you mean: renew_mnetkeys " + known[meant]
		}
	case len(words) > 1 && strings.HasPrefix(words[1], "-"):
		usage.Advice = "leave the word out: " + cmd.Line() + " … " + strings.Join(words[1:], " ")
	default:
		usage.Advice = "leave the word out; see " + cmd.Line() + " --help"
	}
	return usage
}

// misread explains the error of package flag for a command line.
func misread(cmd Command, err error) error {
	if _, name, ok := strings.Cut(err.Error(), "flag provided but not defined: -"); ok {
		return unknownOption(cmd, name)
	}
	if _, name, ok := strings.Cut(err.Error(), "flag needs an argument: -"); ok {
		for _, o := range allOptions() {
			if slices.Contains(o.names(), name) {
				return &UsageError{Problem: o.flag(name) + " must have a value", Advice: "write --" + o.name + "=" + o.arg}
			}
		}
	}
	if _, word, ok := strings.Cut(err.Error(), "bad flag syntax: "); ok {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		usage := unknownOption(cmd, name)
		usage.Problem = "malformed option " + strings.TrimSuffix(word, strings.TrimLeft(word, "-")) + name
		return usage
	}
	if _, flag, ok := strings.Cut(err.Error(), " for -"); ok { // of --help and --version, which have no rows
		name, _, _ := strings.Cut(flag, ":")
		return &UsageError{Problem: "the option " + name + " takes no value", Advice: "leave out = and the value"}
	}
	return &UsageError{Problem: err.Error(), Advice: "see " + cmd.Line() + " --help"}
}

// enumerated writes words as in a sentence: a, b and c.
func enumerated[S ~string](words []S, last string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" " + last + " ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}
