package cmdline

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// fileOption is a line of the option file.
type fileOption struct {
	*option // nil if there is no option of that name
	written string
	value   string
	line    int
}

// readFile sets the options of the file that neither the command line nor the environment sets. One
// file serves all runs: it may have options of other commands, options of an array although only
// one tenant is asked for, and options that contradict the command line or the environment. Those
// are passed over; a value that only another command uses is checked.
func (all settings) readFile() error {
	file := all.named("options")
	path := file.String()
	if path == "" {
		return nil // an error only after it is set
	}
	lines, err := parseOptionFile(path)
	if errors.Is(err, fs.ErrNotExist) && !file.IsSet() {
		return nil
	}
	if err != nil {
		return unreadable(err, file.origin().name(file.option))
	}
	var taken []fileOption
	for _, l := range lines {
		if l.option == nil || l.name == "options" {
			return unknownLine(path, l.line, l.written)
		}
		switch s := all.named(l.name); {
		case s == nil, s.needs != "" && !all.onWith(lines, s.needs):
			if err := (origin{file: path, line: l.line}).read(l.option, new(Options), l.value); err != nil {
				return err
			}
		case !s.IsSet() && !all.contradict(l):
			taken = append(taken, l)
		}
	}
	for _, l := range taken {
		s := all.named(l.name)
		s.given = append(s.given, given{l.value, origin{file: path, line: l.line}})
	}
	return nil
}

// unreadable adds to the error of an option file what to do about it. named is what has named the file.
func unreadable(err error, named string) error {
	if errors.As(err, new(*UsageError)) {
		return err
	}
	usage := &UsageError{"cannot read the options file (" + named + "): " + err.Error(), "check the file and its file system"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		usage.Advice = "check the path; renew_mnetkeys generate conf prints a sample"
	case errors.Is(err, fs.ErrPermission):
		usage.Advice = "run the command as a user who can read the file, or let this user read it"
	case errors.As(err, new(*NotRegularError)):
		usage.Advice = "name a file, not a directory, a pipe or a device"
	}
	return usage
}

// contradict reports whether a line of the file contradicts what is set already.
func (all settings) contradict(l fileOption) bool {
	return slices.ContainsFunc(all, func(s *setting) bool {
		return s.IsSet() && (l.contradicts(l.value, s.option, s.String()) != nil || s.contradicts(s.String(), l.option, l.value) != nil)
	})
}

// onWith reports whether a switch is on: by what is set already, or else by its last line in the
// file, if none of its lines is passed over.
func (all settings) onWith(lines []fileOption, name string) bool {
	if all.named(name).IsSet() {
		return all.on(name)
	}
	on := false
	for _, l := range lines {
		if l.option == nil || l.name != name {
			continue
		}
		if all.contradict(l) {
			return false
		}
		on = l.inEffect(l.value)
	}
	return on
}

// readTrusted reads a file that may name a hook to run: a file that everyone can write is refused,
// and for root a file that anyone else can write.
func readTrusted(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of the opened file, even if the name is another file by then
	if err != nil {
		return nil, err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	root := known && os.Geteuid() == 0
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		return nil, &UsageError{"every user can write to " + path, "run: chmod o-w " + path}
	case root && owner.Uid != 0:
		return nil, &UsageError{"root does not trust " + path + ", which belongs to another user", "run: chown root " + path}
	case root && owner.Gid != 0 && mode&0o020 != 0:
		return nil, &UsageError{"root does not trust " + path + ", which a group can write to", "run: chmod g-w " + path}
	}
	return readOpened(f)
}

// byteOrderMark is what some editors write at the start of a text.
const byteOrderMark = "\ufeff"

// switches are the possible values of a switch in an option file.
var switches = map[string]string{"yes": "true", "on": "true", "true": "true", "1": "true", "no": "false", "off": "false", "false": "false", "0": "false"}

// quoted is a value in quotes: a shell would remove them, here they would be a part of it. Only
// commands, which a shell runs, may begin and end with quotes.
var quoted = regexp.MustCompile(`^(".*"|'.*')$`)

// comment is what begins one behind a value in other files, and in commands. Here it would be a
// part of the value.
var comment = regexp.MustCompile(`\s#`)

// parseOptionFile reads lines of NAME, NAME=VALUE or NAME = VALUE; # begins a comment at the start
// of a line.
func parseOptionFile(path string) ([]fileOption, error) {
	text, err := readTrusted(path)
	if err != nil {
		return nil, err
	}
	var lines []fileOption
	for i, line := range strings.Split(strings.TrimPrefix(string(text), byteOrderMark), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = comment.Split(name, 2)[0]
		name, value = strings.TrimLeft(strings.TrimSpace(name), "-"), strings.TrimSpace(value)
		o, from := optionNamed(name), origin{file: path, line: i + 1}
		switch isSwitch := o != nil && o.isSwitch(); {
		case o != nil && o.arg != command && comment.MatchString(line):
			return nil, from.refuse(o, &UsageError{"must be written without a comment behind it", "write the comment on a line of its own, with # as its first character"})
		case isSwitch && !ok:
			value = "true"
		case isSwitch && switches[strings.ToLower(value)] == "":
			return nil, from.refuse(o, mustBe("yes, no, on, off, true, false, 1 or 0", value))
		case isSwitch:
			value = switches[strings.ToLower(value)]
		case o != nil && o.arg != command && quoted.MatchString(value):
			return nil, from.refuse(o, &UsageError{Problem: "must be written without quotes"})
		case o != nil && value == "":
			return nil, from.refuse(o, &UsageError{Problem: "must have a value"})
		}
		lines = append(lines, fileOption{o, name, value, i + 1})
	}
	return lines, nil
}
