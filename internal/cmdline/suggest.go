package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/internal/spelling"
)

// unknownOption explains an option, given without dashes, that the command does not take: another
// command may take it, or a similar one may be meant.
func unknownOption(cmd Command, name string) *UsageError {
	usage := &UsageError{Problem: "unknown option --" + name, Advice: "see " + cmd.Line() + " --help"}
	if len(name) == 1 {
		usage.Problem = "unknown option -" + name
	}
	own, all := optionsFor(cmd), completedOptions()
	meant := similarOption(own, name)
	if other := similarOption(all, name); meant == nil || other != nil && slices.Contains(other.names(), name) {
		meant = other
	}
	switch {
	case meant == nil && lettersOf(own, name) != "":
		usage = &UsageError{"unknown option -" + name, "write letters separately: " + lettersOf(own, name)}
	case meant == nil:
	case slices.Contains(meant.names(), name) && !meant.takenBy(cmd.Name):
		usage.Problem = cmd.Line() + " has no option " + meant.flag(name)
		usage.Advice = meant.flag(name) + " is an option of " + enumerated(meant.of, "and")
		if cmd.Single && (meant.name == "all" || meant.needs == "all") {
			usage.Advice = string(cmd.Name) + " works on one site at a time: select it with --host"
		}
	case !meant.takenBy(cmd.Name):
		usage.Advice = fmt.Sprintf("did you mean %s, an option of %s?", meant.flag(name), enumerated(meant.of, "and"))
	default:
		usage.Advice = "did you mean " + meant.flag(name) + "?"
	}
	return usage
}

// unknownVariable explains an environment variable that is not an option.
func unknownVariable(name string) error {
	usage := &UsageError{Problem: "unknown environment variable " + name, Advice: "see renew_mnetkeys --help: MNETKEYS_DRY_RUN is --dry-run"}
	if o := similarOption(allOptions(), strings.TrimPrefix(name, variablePrefix)); o != nil {
		usage.Advice = "did you mean " + o.variable() + "?"
	}
	return usage
}

// unknownLine explains a line of an option file that does not name an option.
func unknownLine(path string, line int, name string) error {
	usage := &UsageError{Problem: fmt.Sprintf("%s:%d: unknown option %q", path, line, name),
		Advice: "write name = value, with the long names of renew_mnetkeys --help, without dashes"}
	if o := similarOption(allOptions(), name); name == "options" {
		usage.Advice = "a file of options cannot name another one"
	} else if o != nil {
		usage.Advice = "did you mean " + o.name + "?"
	}
	return usage
}

// optionsFor are the options that a command takes, including those of all commands.
func optionsFor(cmd Command) []*option {
	return slices.DeleteFunc(completedOptions(), func(o *option) bool { return !o.takenBy(cmd.Name) })
}

// similarOption gives the option that is most similar to a name, nil if none is similar. A single
// letter is similar to the same letter in the other case.
func similarOption(options []*option, name string) *option {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	name = strings.ReplaceAll(strings.Trim(name, "-_"), "_", "-")
	if len(name) == 1 {
		for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
			if i := slices.IndexFunc(options, func(o *option) bool { return same(o.short, name) }); i >= 0 {
				return options[i]
			}
		}
		return nil
	}
	if i := similar(names, name); i >= 0 {
		return options[i]
	}
	return nil
}

// lettersOf splits the letters of switches that were written as one word; "" if they are anything
// else.
func lettersOf(options []*option, word string) string {
	var parts []string
	for _, letter := range word {
		if !slices.ContainsFunc(options, func(o *option) bool { return o.isSwitch() && o.short == string(letter) }) {
			return ""
		}
		parts = append(parts, "-"+string(letter))
	}
	return strings.Join(parts, " ")
}

// similar gives the index of the word that may have been meant, -1 if there is none: the only one
// with that beginning, or the one with the smallest difference, if that is small. Case is ignored.
func similar(words []string, typed string) int {
	typed = strings.ToLower(typed)
	if typed == "" {
		return -1
	}
	begins := func(word string) bool { return strings.HasPrefix(word, typed) }
	best, least := -1, 2+len(typed)/4
	for i, word := range words {
		if d := spelling.Distance(word, typed); d < least {
			best, least = i, d
		}
	}
	first := slices.IndexFunc(words, begins)
	if least > 0 && len(typed) > 2 && first >= 0 && !slices.ContainsFunc(words[first+1:], begins) {
		return first
	}
	return best
}
