package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

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
// nor the environment does. Options of other commands are passed over, and so are
// those of an array where one tenant is asked for: one file serves all.
func readOptionFile(cmd subcommand, c *cli.Context) error {
	path := c.String("options")
	if path == "" {
		return nil // an error that readOptions names
	}
	lines, err := parseOptionFile(path)
	if errors.Is(err, fs.ErrNotExist) && !c.IsSet("options") {
		return nil
	}
	if err != nil {
		return &usageError{problem: "--options: " + err.Error()}
	}
	given := map[string]bool{}
	for _, o := range optionTable() {
		name := o.flag.Names()[0]
		given[name] = o.takes(cmd.name) && c.IsSet(name)
	}
	all := c.Bool("all") || !given["host"] && !given["bindhost"] && slices.ContainsFunc(lines, func(l fileOption) bool { return l.name == "all" && l.value != "false" })
	for _, l := range lines {
		o, known := optionNamed(l.name)
		switch {
		case !known || l.name == "options":
			return &usageError{problem: fmt.Sprintf("%s:%d: %q is no option", path, l.line, l.name), hint: "the names are those of renew_mnetkeys --help, without the dashes"}
		case !o.takes(cmd.name) || given[l.name]:
		case all && slices.Contains([]string{"host", "bindhost", "newkey"}, l.name), !all && (l.name == "all" || slices.Contains(arrayFlags, l.name)):
		default:
			if err := c.Set(l.name, l.value); err != nil {
				return &usageError{problem: fmt.Sprintf("%s:%d: %s: %v", path, l.line, l.name, err)}
			}
		}
	}
	return nil
}

func optionNamed(name string) (option, bool) {
	for _, o := range optionTable() {
		if o.flag.Names()[0] == name {
			return o, true
		}
	}
	return option{}, false
}

// parseOptionFile reads lines of NAME, NAME=VALUE or NAME = VALUE; # begins a
// comment at the start of a line. A file that everybody may write could name a
// hook for root to run, and is refused.
func parseOptionFile(path string) ([]fileOption, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("%s may be written by everybody; take that right away: chmod o-w", path)
	}
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var lines []fileOption
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimLeft(strings.TrimSpace(name), "-"), strings.TrimSpace(value)
		if !ok {
			value = "true"
			if o, known := optionNamed(name); known {
				if _, isSwitch := o.flag.(*cli.BoolFlag); !isSwitch {
					return nil, fmt.Errorf("%s:%d: %s wants a value", path, i+1, name)
				}
			}
		}
		lines = append(lines, fileOption{name, value, i + 1})
	}
	return lines, nil
}
