package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

// defaultOptionFile is read where it exists.
const defaultOptionFile = "/etc/renew_mnetkeys.conf"

// fileOption is a line of the file of options.
type fileOption struct {
	name, value string
	line        int
}

// readOptionFile sets what the file of options says and neither the command line
// nor the environment does. One file serves all runs: it may have options of other
// commands, of an array where one tenant is asked for, and what else contradicts
// the command line or the environment. Those are passed over.
func readOptionFile(cmd Command, c *cli.Context) error {
	path := c.String("options")
	if path == "" {
		return nil // an error that readOptions names
	}
	lines, err := parseOptionFile(path)
	if errors.Is(err, fs.ErrNotExist) && !c.IsSet("options") {
		return nil
	}
	if err != nil {
		return &UsageError{Problem: "--options: " + err.Error()}
	}
	given := map[string]bool{}
	for _, o := range optionTable() {
		name := o.flag.Names()[0]
		given[name] = o.takes(cmd.Name) && c.IsSet(name)
	}
	inEffect := func(name string) bool {
		at := slices.IndexFunc(lines, func(l fileOption) bool { return l.name == name })
		return given[name] && c.Bool(name) || !given[name] && at >= 0 && !lines[at].contradicts(c, given) && switchedOn(lines, name)
	}
	for _, l := range lines {
		o, known := optionNamed(l.name)
		if !known || l.name == "options" {
			return &UsageError{Problem: fmt.Sprintf("%s:%d: %q is no option", path, l.line, l.name), Advice: "the names are those of renew_mnetkeys --help, without the dashes"}
		}
		if !o.takes(cmd.Name) || given[l.name] || l.contradicts(c, given) || o.needs() != "" && !inEffect(o.needs()) {
			continue
		}
		if err := c.Set(l.name, l.value); err != nil {
			return &UsageError{Problem: fmt.Sprintf("%s:%d: %s: %v", path, l.line, l.name, err)}
		}
	}
	return nil
}

// switchedOn tells whether the last line of a switch switches it on.
func switchedOn(lines []fileOption, name string) bool {
	on := false
	for _, l := range lines {
		if l.name == name {
			on, _ = strconv.ParseBool(l.value) // what is neither is refused later
		}
	}
	return on
}

func optionNamed(name string) (option, bool) {
	for _, o := range optionTable() {
		if o.flag.Names()[0] == name {
			return o, true
		}
	}
	return option{}, false
}

// readTrusted reads a file that may name a hook for us to run: one that everybody
// may write is refused, and for root one that anybody else may.
func readTrusted(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat() // of what is read, whatever the name stands for by then
	if err != nil {
		return nil, err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	root := known && os.Geteuid() == 0
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		return nil, fmt.Errorf("%s may be written by everybody; take that right away: chmod o-w", path)
	case root && owner.Uid != 0:
		return nil, fmt.Errorf("%s is not root's, and root runs this; make it root's: chown root", path)
	case root && owner.Gid != 0 && mode&0o020 != 0:
		return nil, fmt.Errorf("%s may be written by a group, and root runs this; take that right away: chmod g-w", path)
	}
	return readOpened(f)
}

// byteOrderMark is what some editors write at the start of a text.
const byteOrderMark = "\ufeff"

// switches are the values of a switch in a file of options.
var switches = map[string]string{"yes": "true", "on": "true", "true": "true", "1": "true", "no": "false", "off": "false", "false": "false", "0": "false"}

// parseOptionFile reads lines of NAME, NAME=VALUE or NAME = VALUE; # begins a
// comment at the start of a line.
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
		name, value = strings.TrimLeft(strings.TrimSpace(name), "-"), strings.TrimSpace(value)
		o, _ := optionNamed(name)
		switch _, isSwitch := o.flag.(*cli.BoolFlag); {
		case isSwitch && !ok:
			value = "true"
		case isSwitch && switches[strings.ToLower(value)] == "":
			return nil, fmt.Errorf("%s:%d: %s: expected yes, no, on, off, true, false, 1 or 0", path, i+1, name)
		case isSwitch:
			value = switches[strings.ToLower(value)]
		case o.flag != nil && value == "":
			return nil, fmt.Errorf("%s:%d: %s: expected a value", path, i+1, name)
		}
		lines = append(lines, fileOption{name, value, i + 1})
	}
	return lines, nil
}
