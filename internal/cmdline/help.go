package cmdline

import (
	"fmt"
	"strings"

	"renew_mnetkeys/moodledb/config"
)

// helpTemplate leaves the layout to helpText: the template of cli puts every option, its variable
// and its default on one line of up to 200 characters.
const helpTemplate = "{{.Description}}"

// helpText is the complete text of --help: for the command without a word, with all options; for
// the others, with those they take.
func helpText(cmd Command) string {
	var b strings.Builder
	whole := cmd.Name == Commands[0].Name
	if whole {
		paragraph(&b, "renew_mnetkeys renews the MNet key of a Moodle tenant and proves that every peer uses the new one.")
	} else {
		paragraph(&b, cmd.Line()+": "+cmd.Does)
		b.WriteString("\n")
		paragraph(&b, cmd.about)
	}
	fmt.Fprintf(&b, "\nUsage:\n  %s [options]\n", cmd.Line())
	if whole {
		b.WriteString("  renew_mnetkeys COMMAND [options]\n")
		writeCommands(&b)
	}
	b.WriteString("\nExamples:\n")
	for _, e := range cmd.examples {
		fmt.Fprintf(&b, "  # %s\n  %s\n", e.does, e.line())
	}
	for _, g := range groups {
		writeGroup(&b, g, cmd, whole)
	}
	b.WriteString("\n")
	for _, o := range completedOptions()[len(allOptions()):] {
		written, does := o.line()
		hanging(&b, optionColumn, written, does)
	}
	b.WriteString("\n")
	paragraph(&b, notes(cmd))
	if whole {
		b.WriteString("\n")
		paragraph(&b, "Without --config and MOODLE_CONFIG, config.php is searched for in the working directory and upwards, then here:")
		for _, path := range config.UsualPlaces() {
			b.WriteString("  " + path + "\n")
		}
	}
	b.WriteString("\nExit codes:\n" + cmd.Exits.String())
	return b.String()
}

// writeCommands lists the first words of the command line.
func writeCommands(b *strings.Builder) {
	b.WriteString("\nCommands:\n")
	hanging(b, commandColumn, "(none)", Commands[0].Does)
	for _, c := range Commands[1:] {
		hanging(b, commandColumn, string(c.Name), c.Does)
	}
	for _, e := range extras {
		hanging(b, commandColumn, e.word, e.does)
	}
}

// notes say how options and their values are written.
func notes(cmd Command) string {
	example := "MNETKEYS_CA_FILE for --ca-file"
	if cmd.Changes {
		example = "MNETKEYS_DRY_RUN for --dry-run"
	}
	text := "Every option has an environment variable: MNETKEYS_HOST for --host, " + example + ". DURATION is written as 90s, 36h or 7d. GLOB must match the complete wwwroot: * is any characters, ? is one."
	if cmd.Changes {
		text += " COMMAND is run by /bin/sh -c: quote paths that contain spaces."
	}
	return text
}

// writeGroup lists the options of one group: if whole, all of them, each with its commands if renew
// is not one of them; otherwise those that the command takes.
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
		hanging(b, optionColumn, written, does)
	}
}
