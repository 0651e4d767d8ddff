package cmdline

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

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
	for _, s := range sections {
		writeSection(&b, s, cmd, whole)
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
		b.WriteString("\nExit codes:\n" + exitCodes(cmd))
	} else {
		b.WriteString("\n\nExit codes:\n" + exitCodes(cmd))
	}
	return b.String()
}

// writeSection lists the options of one section: all of them, each with the
// commands it goes with where renew is not among them.
func writeSection(b *strings.Builder, s section, cmd Command, whole bool) {
	begun := false
	for _, o := range optionTable() {
		if o.section != s || !whole && !o.takes(cmd.Name) {
			continue
		}
		if !begun {
			fmt.Fprintf(b, "\n%s:\n", s)
			begun = true
		}
		line := optionLine(o.flag)
		if whole && !o.takes(cmd.Name) {
			line[1] = o.takers() + ": " + line[1]
		}
		fmt.Fprintf(b, "  %-29s %s\n", line[0], line[1])
	}
}

func exitCodes(cmd Command) string {
	if cmd.Name == Check {
		return `  0  OK
  1  WARNING: the key ends soon, or something is not proven
  2  CRITICAL: the key ends very soon, or the own site does not use it
  3  UNKNOWN: it could not be found out, or this line not be written
`
	}
	if !cmd.Changes {
		return `  0  all is well
  1  the tenant could not be looked at, or its own set-up is wrong
  2  usage or configuration
  3  something is not proven, or the result could not be written
  4  the own site does not use the stored key: act now
  129, 130, 143  interrupted (HUP, INT, TERM)
`
	}
	return `  0  all proven, or nothing due
  1  not renewed, nothing changed, or undone
  2  usage or configuration
  3  renewed, but something is not proven, or a result could not be written
  4  the own site does not use the stored key: act now
  5  another run holds the lock
  129, 130, 143  interrupted (HUP, INT, TERM) at a safe point: the next step is push
`
}

// optionLine gives an option as it is written, and what it does. The word in
// backquotes of its usage names its value.
func optionLine(f cli.Flag) [2]string {
	doc := f.(cli.DocGenerationFlag)
	usage, value := doc.GetUsage(), "VALUE"
	if _, rest, ok := strings.Cut(usage, "`"); ok {
		value, _, _ = strings.Cut(rest, "`")
		usage = strings.NewReplacer("(`"+value+"`) ", "", "`"+value+"`", value).Replace(usage)
	}
	long, short := f.Names()[0], "    "
	if len(f.Names()) > 1 {
		short = "-" + f.Names()[1] + ", "
	}
	option := short + "--" + long
	if doc.TakesValue() {
		option += "=" + value
		if d := doc.GetValue(); d != "" && d != "0" && d != "0s" && d != "[]" {
			usage += " (default: " + d + ")"
		}
	}
	return [2]string{option, usage}
}
