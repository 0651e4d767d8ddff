package cmdline

import (
	"cmp"
	"fmt"
	"strings"
)

// sampleOptionFile is a file for --options in which every option is commented out.
// Explanations begin with "# ", options with "#" alone.
func sampleOptionFile() string {
	var b strings.Builder
	b.WriteString(sampleHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n# --- %s ---\n", g.title)
		for _, o := range g.options {
			if o.name != "options" { // which it cannot name itself
				fmt.Fprintf(&b, "\n# %s\n#%s = %s\n", o.doesForTakers(), o.name, o.sample())
			}
		}
	}
	return b.String()
}

// sample is a value of the option that one could write.
func (o *option) sample() string {
	if o.isSwitch() {
		return "true"
	}
	return cmp.Or(o.example, o.preset)
}

const sampleHead = `# Options of renew_mnetkeys, one a line, for all its commands and tenants. The command line and the environment win.
# An option that a command does not take is passed over. An option that may be given more than once has a line for each.
#
# The user who runs the command must be able to read this file, and nobody else to write it. Name no password here:
# cfg takes one from a file of its own.
`
