package cmdline

import (
	"cmp"
	"fmt"
	"strings"
)

// sampleOptionFile is a file for --options in which every option is commented out. Explanations
// begin with "# ", options with "#" alone.
func sampleOptionFile() string {
	var b strings.Builder
	b.WriteString(sampleHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n# --- %s ---\n", g.title)
		for _, o := range g.options {
			if o.name != "options" { // the file cannot name itself
				does := strings.Join(wrapped(o.doesForTakers(), helpWidth-2), "\n# ")
				fmt.Fprintf(&b, "\n# %s\n#%s = %s\n", does, o.name, o.sample())
			}
		}
	}
	return b.String()
}

// sample is a possible value of the option.
func (o *option) sample() string {
	if o.isSwitch() {
		return "true"
	}
	return cmp.Or(o.example, o.preset)
}

const sampleHead = `# Options of renew_mnetkeys for all its commands and tenants, one per line.
# Command line and environment take precedence. A command ignores the options of
# other commands, but refuses wrong values of theirs. Write a repeatable option
# once per value. A comment has a line of its own.
#
# The user who runs the command must be able to read this file. Other users must
# not be able to write to it. Write no password here: use cfg = dbpass=@FILE.
`
