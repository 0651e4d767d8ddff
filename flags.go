package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp tames cli/v2: usage errors go to stderr as errors, never to stdout as
// help; nothing but main exits; a stray word is an error instead of swallowing
// the flags behind it.
func newApp(stdout, stderr io.Writer, action func(options)) *cli.App {
	return &cli.App{
		Name:      "renew_mnetkeys",
		Usage:     "renew the MNet key of a Moodle tenant and prove that every peer uses the new one",
		UsageText: "renew_mnetkeys [options]\n   sudo -u www-data renew_mnetkeys --host=https://tenant.example.org",
		Description: "Exit codes: 0 all proven, or nothing due; 1 not renewed, nothing changed; 2 usage or configuration;\n" +
			"3 renewed, but a peer is pending or refused; 4 the own site does not use the stored key: act now;\n" +
			"5 another run holds the lock; 130, 143 interrupted at a safe point.\n\n" +
			"Durations are written as 90s, 36h or 7d.",
		Version:                   version(),
		HideHelpCommand:           true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		Flags:                     flags(),
		DisableSliceFlagSeparator: true,
		CustomAppHelpTemplate:     helpTemplate,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return &usageError{problem: err.Error(), hint: "see renew_mnetkeys --help"}
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return strayWord(c.Args().Slice())
			}
			o, err := readOptions(c)
			if err != nil {
				return err
			}
			action(o)
			return nil
		},
	}
}

// helpTemplate is cli's own, without the copyright and command parts.
const helpTemplate = `{{.Name}} - {{.Usage}}

Usage:
   {{.UsageText}}

Options:
{{range .VisibleFlags}}   {{.}}
{{end}}
{{.Description}}
`

func flags() []cli.Flag {
	list := []cli.Flag{
		&cli.StringFlag{Name: "host", Aliases: []string{"H"}, Usage: "the tenant, by its wwwroot `URL` (default: the tenant of config.php)"},
		&cli.BoolFlag{Name: "newkey", Aliases: []string{"n"}, Usage: "start MNet first if it is off, then renew"},
		&cli.StringSliceFlag{Name: "bindhost", Aliases: []string{"b"}, Usage: "connect `URL|subs` as a peer before the push; subs: every enabled tenant of the array"},
		&cli.StringFlag{Name: "config", Usage: "`PATH` of Moodle's config.php (default: MOODLE_CONFIG, else upwards from here, else the usual places)"},
		&cli.StringSliceFlag{Name: "cfg", Usage: "use `NAME=VALUE` for what config.php says of $CFG->NAME; dbpass=@FILE reads a password"},
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done; write nothing, send no key"},
		&cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but what failed"},
		&cli.BoolFlag{Name: "debug", Aliases: []string{"d"}, Usage: "log what is done"},
		&cli.StringFlag{Name: "log-format", Value: "console", Usage: "`FORMAT` of the log on stderr: console or json"},
		duration("timeout", "15s", "limit of one call to a peer, as a `DURATION`"),
		duration("deadline", "10m", "limit of the whole run; peers not reached by then stay pending"),
		duration("lock-wait", "30s", "how long to wait for another run on this tenant"),
		&cli.IntFlag{Name: "concurrency", Value: 32, Usage: "calls to peers at once (never more than 4 to one address)"},
		&cli.IntFlag{Name: "retries", Value: 2, Usage: "extra tries of a call that a retry can cure"},
		&cli.IntFlag{Name: "days", Usage: "life of the new certificate in days (default: the site's, mostly 28)"},
		&cli.IntFlag{Name: "key-bits", Value: 2048, Usage: "size of the new RSA key: 2048, 3072 or 4096"},
		&cli.StringFlag{Name: "self-check", Value: "auto", Usage: "proof of the own site, as `MODE`: require (not reachable: change nothing), auto (not reachable: warn), off"},
		&cli.BoolFlag{Name: "tls-skip-verify", Usage: "verify no TLS certificate, whatever the peer's row says"},
		&cli.StringFlag{Name: "ca-file", Usage: "PEM `FILE` of certificate authorities to trust besides the system's"},
	}
	for _, f := range list {
		addEnvironment(f)
	}
	return list
}

// addEnvironment gives every flag its variable, MNETKEYS_<NAME>.
func addEnvironment(f cli.Flag) {
	env := []string{"MNETKEYS_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))}
	switch f := f.(type) {
	case *cli.StringFlag:
		f.EnvVars = env
	case *cli.BoolFlag:
		f.EnvVars = env
	case *cli.IntFlag:
		f.EnvVars = env
	case *cli.StringSliceFlag:
		f.EnvVars = env
	case *cli.GenericFlag:
		f.EnvVars = env
	}
}
