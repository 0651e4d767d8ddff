package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpTemplate leaves the layout to helpText: cli's own puts every option, its
// variable and its default on one line of up to 200 characters.
const helpTemplate = "{{.Description}}"

// helpText is the whole of --help, made from the flags.
func helpText(flags []cli.Flag) string {
	var b strings.Builder
	b.WriteString(`renew_mnetkeys renews the MNet key of a Moodle tenant and proves that every peer uses the new one.

Usage:
  renew_mnetkeys [options]
  sudo -u www-data renew_mnetkeys --host=https://tenant.example.org

Options:
`)
	for _, f := range flags {
		line := optionLine(f)
		fmt.Fprintf(&b, "  %-26s %s\n", line[0], line[1])
	}
	b.WriteString(`  -h, --help                 print this and exit
  -v, --version              print the version and exit

Every option has an environment variable: MNETKEYS_HOST for --host, MNETKEYS_DRY_RUN for --dry-run.
DURATION is written as 90s, 36h or 7d.

Exit codes:
  0  all proven, or nothing due
  1  not renewed, nothing changed, or undone
  2  usage or configuration
  3  renewed, but a peer is pending or refused
  4  the own site does not use the stored key: act now
  5  another run holds the lock
  130, 143  interrupted at a safe point
`)
	return b.String()
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
		if d := doc.GetValue(); d != "" && d != "0" && d != "[]" {
			usage += " (default: " + d + ")"
		}
	}
	return [2]string{option, usage}
}
