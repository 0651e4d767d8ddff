package cmdline

import (
	"regexp"
	"strings"
)

// cfgName is the name of a $CFG setting, or of one of its dboptions.
var cfgName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)

// addCfg reads a NAME=VALUE of --cfg. Every user of the machine can read the argument list, so
// that passwords do not belong there: dbpass takes @FILE only.
func addCfg(_ *option, o *Options, pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || !cfgName.MatchString(name) {
		return &UsageError{Problem: "--cfg wants NAME=VALUE", Advice: "for example --cfg dataroot=/srv/moodledata"}
	}
	if isPassword(name) {
		file, isFile := strings.CutPrefix(value, "@")
		if !isFile {
			return &UsageError{Problem: "--cfg " + name + " on the command line can be read by every user of this machine",
				Advice: "write it to a file that only you can read and use --cfg " + name + "=@FILE"}
		}
		text, err := ReadSmall(file)
		if err != nil {
			return &UsageError{Problem: "--cfg " + name + ": " + err.Error()}
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
