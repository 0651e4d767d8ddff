package cmdline

import (
	"fmt"
	"strings"

	"renew_mnetkeys/moodledb/config"
)

// helpTemplate leaves the layout to helpText: cli's own puts every option, its
// variable and its default on one line of up to 200 characters.
const helpTemplate = "{{.Description}}"

// helpText is the whole of --help: of the command without a word, with every
// option there is; of the others, with those they take.
func helpText(cmd Command) string {
	var b strings.Builder
	whole := cmd.Name == Commands[0].Name
	if whole {
		b.WriteString(`renew_mnetkeys renews the MNet key of a Moodle tenant and proves that every peer uses the new one.

Usage:
  renew_mnetkeys [options]
  renew_mnetkeys COMMAND [options]
  sudo -u www-data renew_mnetkeys --host=https://tenant.example.org

Commands:
`)
		fmt.Fprintf(&b, "  %-10s %s\n", "(none)", Commands[0].Does)
		for _, c := range Commands[1:] {
			fmt.Fprintf(&b, "  %-10s %s\n", c.Name, c.Does)
		}
		fmt.Fprintf(&b, "  %-10s %s\n", "generate", generateDoes)
	} else {
		fmt.Fprintf(&b, "%s: %s\n\nUsage:\n  %s [options]\n", cmd.Line(), cmd.Does, cmd.Line())
	}
	for _, g := range groups {
		writeGroup(&b, g, cmd, whole)
	}
	example := "MNETKEYS_CA_FILE for --ca-file"
	if cmd.Changes {
		example = "MNETKEYS_DRY_RUN for --dry-run"
	}
	fmt.Fprintf(&b, `
  -h, --help                    print this and exit
  -v, --version                 print the version and exit

Every option has an environment variable: MNETKEYS_HOST for --host, %s.
DURATION is written as 90s, 36h or 7d.`, example)
	if cmd.Changes {
		b.WriteString(" COMMAND is run by /bin/sh -c: a path with blanks must be quoted in it.")
	}
	if whole {
		b.WriteString("\n\nWithout --config and MOODLE_CONFIG, config.php is looked for in the working directory and upwards, then as:\n")
		for _, path := range config.UsualPlaces() {
			b.WriteString("  " + path + "\n")
		}
		b.WriteString("\nExit codes:\n" + cmd.exits)
	} else {
		b.WriteString("\n\nExit codes:\n" + cmd.exits)
	}
	return b.String()
}

// writeGroup lists the options of one group: all of them, each with its commands if renew is not
// one of them; or only those that the command takes.
func writeGroup(b *strings.Builder, g group, cmd Command, whole bool) {
	begun := false
	for _, o := range g.options {
		if !whole && !o.takenBy(cmd.Name) {
			continue
		}
		if !begun {
			fmt.Fprintf(b, "\n%s:\n", g.title)
			begun = true
		}
		written, does := o.line()
		if !o.takenBy(cmd.Name) {
			does = o.takers(", ") + ": " + does
		}
		fmt.Fprintf(b, "  %-29s %s\n", written, does)
	}
}

// What exit codes mean: of commands that change something, that only look, and of check.
const (
	exitsOfChange = `  0  all proven, or nothing due
  1  not renewed, nothing changed, or undone
  2  usage or configuration
  3  renewed, but something is not proven, or a result could not be written
  4  the own site does not use the stored key: act now
  5  another run holds the lock
  129, 130, 143  interrupted (HUP, INT, TERM) at a safe point: the next step is push
`
	exitsOfLook = `  0  all is well
  1  the tenant could not be looked at, or its own set-up is wrong
  2  usage or configuration
  3  something is not proven, or the result could not be written
  4  the own site does not use the stored key: act now
  129, 130, 143  interrupted (HUP, INT, TERM)
`
	exitsOfCheck = `  0  OK
  1  WARNING: the key ends soon, or something is not proven
  2  CRITICAL: the key ends very soon, or the own site does not use it
  3  UNKNOWN: it could not be found out, or this line not be written
`
)
