package cmdline

import (
	"regexp"
	"strings"
)

// cfgName is the name of a $CFG setting, or of one of its dboptions.
var cfgName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)

// readCfg reads the NAME=VALUE pairs of --cfg. Passwords do not belong into the
// argument list, where every user of the machine can read them: dbpass takes
// @FILE only.
func readCfg(pairs []string) (map[string]string, error) {
	cfg := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !cfgName.MatchString(name) {
			return nil, &UsageError{Problem: "--cfg wants NAME=VALUE", Advice: "for example --cfg dataroot=/srv/moodledata"}
		}
		if isPassword(name) {
			file, isFile := strings.CutPrefix(value, "@")
			if !isFile {
				return nil, &UsageError{Problem: "--cfg " + name + " on the command line can be read by every user of this machine",
					Advice: "write it to a file that only you can read and use --cfg " + name + "=@FILE"}
			}
			text, err := ReadSmall(file)
			if err != nil {
				return nil, &UsageError{Problem: "--cfg " + name + ": " + err.Error()}
			}
			value = strings.TrimRight(string(text), "\r\n")
		}
		cfg[name] = value
	}
	return cfg, nil
}

func isPassword(name string) bool {
	return strings.HasSuffix(name, "pass") || strings.Contains(name, "password")
}
