package cmdline

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/config"
)

// setting is an option of the command, with its values: from the command line, else from its
// variable, else from lines of the option file. It is a flag of cli/v2, and only records values:
// they are read after all of them are known.
type setting struct {
	*option
	given []given
}

// given is a value, and where it comes from.
type given struct {
	value string
	from  origin
}

// origin is where a value comes from: the zero value is the command line.
type origin struct {
	variable string // in the environment
	file     string // the option file
	line     int    // in the file, from 1
}

// name is the option as it is written there.
func (from origin) name(o *option) string {
	switch {
	case from.file != "":
		return fmt.Sprintf("%s:%d: %s", from.file, from.line, o.name)
	case from.variable != "":
		return from.variable
	}
	return "--" + o.name
}

// lineSeen is the line of the option file, for a sentence that may have named a file already.
func (from origin) lineSeen(named string) string {
	if named == from.file {
		return fmt.Sprintf("line %d", from.line)
	}
	return fmt.Sprintf("%s:%d", from.file, from.line)
}

// refuse adds the option, as it is written there, to the error of its value.
func (from origin) refuse(o *option, err error) error {
	usage := &UsageError{Problem: err.Error()}
	errors.As(err, &usage)
	return &UsageError{Problem: from.name(o) + " " + usage.Problem, Advice: usage.Advice}
}

// read reads a value into the option's field. What this command does not use is read into Options of
// its own, for the sake of the command that does.
func (from origin) read(o *option, into *Options, value string) error {
	if o.repeats {
		value = strings.TrimSpace(value)
	}
	if err := o.set(o, into, value); err != nil {
		return from.refuse(o, err)
	}
	return nil
}

// Apply implements cli.Flag.
func (s *setting) Apply(set *flag.FlagSet) error {
	for _, name := range s.names() {
		set.Var(s, name, "")
	}
	return nil
}

// Names implements cli.Flag. It leaves out the short name: for a flag with two names, cli/v2 would
// set the other as well, and the value would be there twice.
func (s *setting) Names() []string { return []string{s.name} }

// IsSet implements cli.Flag.
func (s *setting) IsSet() bool { return len(s.given) > 0 }

// IsBoolFlag makes package flag accept a switch without a value.
func (s *setting) IsBoolFlag() bool { return s.isSwitch() }

// Set implements flag.Value for the command line.
func (s *setting) Set(value string) error {
	s.given = append(s.given, given{value: value})
	return nil
}

// String implements flag.Value and cli.Flag: it is the last value, else the preset.
func (s *setting) String() string {
	if s.IsSet() {
		return s.given[len(s.given)-1].value
	}
	return s.preset
}

// origin is where the last value comes from.
func (s *setting) origin() origin {
	if s.IsSet() {
		return s.given[len(s.given)-1].from
	}
	return origin{}
}

// written is the option, as it is written where its last value comes from, or with its default.
func (s *setting) written() string {
	if !s.IsSet() && s.preset != "" {
		return "--" + s.name + " (default " + s.preset + ")"
	}
	return s.origin().name(s.option)
}

// read reads the given values, or the preset, into the option's field.
func (s *setting) read(o *Options) error {
	values := s.given
	if len(values) == 0 && s.preset != "" {
		values = []given{{value: s.preset}}
	}
	for _, v := range values {
		if err := v.from.read(s.option, o, v.value); err != nil {
			return err
		}
	}
	return nil
}

// settings are the settings of all options of a command, in the order of --help.
type settings []*setting

func settingsOf(command Name) (all settings) {
	for _, o := range allOptions() {
		if o.takenBy(command) {
			all = append(all, &setting{option: o})
		}
	}
	return all
}

// named gives a setting by its long name, nil if the command does not take it.
func (all settings) named(name string) *setting {
	if i := slices.IndexFunc(all, func(s *setting) bool { return s.name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// on reports whether a switch is on.
func (all settings) on(name string) bool {
	s := all.named(name)
	return s != nil && s.inEffect(s.String())
}

// options reads the options of a command, after those of the command line are set.
func (all settings) options(cmd Command) (Options, error) {
	o := Options{Command: cmd.Name}
	if err := all.checkVariables(os.Environ()); err != nil {
		return o, err
	}
	all.readEnvironment()
	o.Environment = all.ofEnvironment()
	if err := all.readFile(); err != nil {
		return o, err
	}
	o.Elsewhere = all.elsewhere()
	for _, s := range all {
		if s.needs != "" && !all.on(s.needs) {
			if s.IsSet() && !(s.origin().variable != "" && all.named(s.needs).IsSet()) { // a variable is for all runs, and this one has the switch off
				return o, s.origin().refuse(s.option, &UsageError{Problem: "needs --" + s.needs, Advice: optionNamed(s.needs).off})
			}
			continue
		}
		if s.required && !s.IsSet() {
			return o, &UsageError{Problem: cmd.Line() + " needs --" + s.name, Advice: "write " + cmd.Line() + " --" + s.name + "=" + s.arg + ": " + s.help}
		}
		if err := s.read(&o); err != nil {
			return o, err
		}
	}
	all.fitTimeout(&o)
	if path := os.Getenv(config.Variable); path != "" && len(o.Config) == 0 && all.named("config") != nil {
		o.Environment = append(o.Environment, "--config="+path)
	}
	return o, all.checkConflicts()
}

// fitTimeout leaves time for the other sites if one of them does not answer: a call is tried several
// times, and a run calls a site in several steps.
func (all settings) fitTimeout(o *Options) {
	const least = 2 * time.Second
	if s := all.named("timeout"); s != nil && !s.IsSet() {
		o.Timeout = min(o.Timeout, max(o.Deadline/10, least))
	}
}

// checkConflicts finds options that contradict each other, wherever they come from.
func (all settings) checkConflicts() error {
	for _, s := range all {
		for _, c := range s.conflicts {
			other := all.named(c.with)
			if other == nil || s.contradicts(s.String(), other.option, other.String()) == nil {
				continue
			}
			second := other.written()
			if from := other.origin(); from.file != "" {
				second = fmt.Sprintf("%s (%s)", other.name, from.lineSeen(s.origin().file))
			}
			problem := s.written() + " " + cmp.Or(c.problem, "cannot be used with") + " " + second
			return &UsageError{Problem: problem, Advice: c.advice}
		}
	}
	return nil
}

// readEnvironment sets the options that the command line has not set. An empty variable leaves a
// number or a duration unchanged, and turns a switch off.
func (all settings) readEnvironment() {
	for _, s := range all {
		value, found := os.LookupEnv(s.variable())
		if !found || s.IsSet() || value == "" && s.isMeasure() {
			continue
		}
		if value == "" && s.isSwitch() {
			value = "false"
		}
		s.given = []given{{value: value, from: origin{variable: s.variable()}}}
	}
}

// ofEnvironment are the arguments that say what variables have set. Hooks are not among them: as a
// variable, nobody else can read the secret that one may contain.
func (all settings) ofEnvironment() (args []string) {
	for _, s := range all {
		for _, v := range s.given {
			if v.from.variable != "" && !strings.HasSuffix(s.name, "-hook") {
				args = append(args, "--"+s.name+"="+v.value)
			}
		}
	}
	return args
}

const (
	variablePrefix = "MNETKEYS_"
	testVariables  = "MNETKEYS_TEST_" // of the tests, not of the command
)

// checkVariables refuses variables that look like options but are not: a mistyped MNETKEYS_DRY_RUN
// must not renew for real. It also checks the values that only another command uses.
func (all settings) checkVariables(environ []string) error {
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, variablePrefix) || strings.HasPrefix(name, testVariables) {
			continue
		}
		at := slices.IndexFunc(allOptions(), func(o *option) bool { return o.variable() == name })
		if at < 0 {
			return unknownVariable(name)
		}
		if o := allOptions()[at]; all.named(o.name) == nil && value != "" {
			if err := (origin{variable: name}).read(o, new(Options), value); err != nil {
				return err
			}
		}
	}
	return nil
}
