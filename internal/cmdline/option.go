package cmdline

import (
	"slices"
	"strconv"
	"strings"
)

// group is a heading of --help, with its options.
type group struct {
	title   string
	options []*option
}

// option is a row of the table in options.go: everything that is known about one option.
type option struct {
	name, short string     // without dashes; short may be ""
	arg         string     // name of its value in --help, "" for a switch
	help        string     // what it does
	of          []Name     // the commands that take it; all if none is named
	repeats     bool       // it may be given more than once
	preset      string     // its default, in the form in which it would be written
	words       []string   // values to complete: all possible ones (see word), or some of them
	example     string     // a value for the sample file, if the preset is not suitable
	required    bool       // the command cannot do without it
	needs       string     // the switch without which it has no meaning
	off         string     // for such a switch: the advice if it is missing
	conflicts   []conflict // with others; either of the two may have the row
	set         setter     // reads and checks a value
}

// conflict is another option that contradicts that of the row. Two options on the command line are
// an error; a line of an option file is passed over.
type conflict struct {
	with    string
	problem string // text between the two names; if empty: "cannot be used with"
	advice  string
	// when reports whether the two values, as they are written, contradict each other. If it is
	// nil, they contradict each other whenever both are in effect.
	when func(own, other string) bool
}

// allOptions are the options of all groups.
func allOptions() (all []*option) {
	for _, g := range groups {
		all = append(all, g.options...)
	}
	return all
}

// OnlyForAll are the options that have a meaning with --all only, and --all itself, by all their
// names; true if the option takes a value.
func OnlyForAll() map[string]bool {
	const all = "all"
	names := map[string]bool{}
	for _, o := range allOptions() {
		if o.name == all || o.needs == all {
			for _, name := range o.names() {
				names[name] = o.arg != ""
			}
		}
	}
	return names
}

// optionNamed gives an option by its long name, nil if there is none.
func optionNamed(name string) *option {
	all := allOptions()
	if i := slices.IndexFunc(all, func(o *option) bool { return o.name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// names are the long name and the short one, if there is one.
func (o *option) names() []string {
	if o.short == "" {
		return []string{o.name}
	}
	return []string{o.name, o.short}
}

// flags are the ways to write the option, like --host and -H.
func (o *option) flags() []string {
	if o.short == "" {
		return []string{"--" + o.name}
	}
	return []string{"--" + o.name, "-" + o.short}
}

// flag is the option as it is written with a name like this one: short for a single letter.
func (o *option) flag(name string) string {
	if len(name) == 1 && o.short != "" {
		return "-" + o.short
	}
	return "--" + o.name
}

// variable is the option's environment variable.
func (o *option) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

func (o *option) isSwitch() bool { return o.arg == "" }

// isFile reports whether the value is a path.
func (o *option) isFile() bool { return o.arg == "PATH" || o.arg == "FILE" }

// isMeasure reports whether the value is a number or a duration.
func (o *option) isMeasure() bool { return o.arg == "N" || o.arg == "DURATION" }

// takenBy reports whether a command has the option.
func (o *option) takenBy(command Name) bool {
	return len(o.of) == 0 || slices.Contains(o.of, command)
}

// takers are the commands of an option that only some commands take, as they are typed.
func (o *option) takers(separator string) string {
	return joined(o.of, separator)
}

// line gives an option as it is written, and what it does.
func (o *option) line() (written, does string) {
	written = "    --" + o.name
	if o.short != "" {
		written = "-" + o.short + ", --" + o.name
	}
	if o.arg != "" {
		written += "=" + o.arg
	}
	return written, o.does()
}

// does is the help, with the preset if there is one.
func (o *option) does() string {
	does := o.help
	if o.repeats {
		does += " (repeatable)"
	}
	if o.preset != "" && o.preset != "0s" {
		does += " (default: " + o.preset + ")"
	}
	return does
}

// contradicts gives the conflict of the option with another at these values, nil if there is none.
func (o *option) contradicts(own string, other *option, others string) *conflict {
	if !o.inEffect(own) || !other.inEffect(others) {
		return nil
	}
	for i, c := range o.conflicts {
		if c.with == other.name && (c.when == nil || c.when(own, others)) {
			return &o.conflicts[i]
		}
	}
	return nil
}

// inEffect reports whether an option with this value has any effect.
func (o *option) inEffect(value string) bool {
	if o.isSwitch() {
		on, _ := strconv.ParseBool(value) // other values are refused when the option is set
		return on
	}
	return value != ""
}
