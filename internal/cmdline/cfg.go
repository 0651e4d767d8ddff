package cmdline

import (
	"regexp"
	"strings"
)

// cfgName is the name of a $CFG setting, or of one of its dboptions.
var cfgName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)

// addCfg reads a NAME=VALUE of --cfg. Every user of the machine can read the argument list, so
// passwords are not allowed there: dbpass takes @FILE only.
func addCfg(_ *option, o *Options, pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || !cfgName.MatchString(name) {
		return &UsageError{Problem: "must be NAME=VALUE, for example dataroot=/srv/moodledata"}
	}
	if isPassword(name) {
		file, isFile := strings.CutPrefix(value, "@")
		if !isFile {
			return &UsageError{Problem: "must not contain a password (" + name + "): other users could read it",
				Advice: "write the password to a file that only you can read, and use --cfg=" + name + "=@FILE"}
		}
		text, err := ReadSmall(file)
		if err != nil {
			return &UsageError{Problem: "cannot read the file of " + name + ": " + err.Error()}
		}
		value = strings.TrimRight(string(text), "\r\n")
	}
	if o.Cfg == nil {
		o.Cfg = map[string]string{}
	}
	o.Cfg[name] = value
	return nil
}

func isPassword(name string) bool {
	return strings.HasSuffix(name, "pass") || strings.Contains(name, "password")
}
