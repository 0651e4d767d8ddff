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
		Name:                      "renew_mnetkeys",
		Version:                   version(),
		HideHelpCommand:           true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		Flags:                     flags(),
		Description:               helpText(flags()),
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

func flags() []cli.Flag {
	list := []cli.Flag{
		&cli.StringFlag{Name: "host", Aliases: []string{"H"}, Usage: "(`URL`) wwwroot of the tenant; without it the tenant of config.php itself"},
		&cli.BoolFlag{Name: "newkey", Aliases: []string{"n"}, Usage: "start MNet first if it is off, then renew"},
		&cli.StringSliceFlag{Name: "bindhost", Aliases: []string{"b"}, Usage: "(`URL|subs`) connect that host, or every enabled tenant, as a peer before the push"},
		&cli.BoolFlag{Name: "all", Usage: "renew every enabled tenant of the array that has MNet"},
		&cli.BoolFlag{Name: "withmaster", Aliases: []string{"m"}, Usage: "with --all: the master too"},
		&cli.StringSliceFlag{Name: "match", Usage: "(`GLOB`) with --all: only tenants whose wwwroot it matches; * matches slashes too"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "(`GLOB`) with --all: not these"},
		&cli.StringFlag{Name: "shard", Usage: "(`I/N`) with --all: this machine's part, I from 0 to N-1"},
		&cli.BoolFlag{Name: "fullstop", Aliases: []string{"s"}, Usage: "with --all: stop at the first tenant that fails"},
		&cli.IntFlag{Name: "max-failures", Usage: "(`N`) with --all: renew no more tenants once so many failed; without it all are tried"},
		&cli.IntFlag{Name: "canary", Value: 1, Usage: "(`N`) with --all: so many tenants go first; one that fails stops the others"},
		duration("fresh", "1h", "(`DURATION`) with --all: a key younger than this is kept, distributed and proven"),
		&cli.BoolFlag{Name: "only-distribute", Usage: "with --all: renew no key"},
		&cli.StringFlag{Name: "push", Value: "auto", Usage: "(`WAY`) with --all: auto tells tenants of the array by their databases, keyswap by HTTP"},
		&cli.StringFlag{Name: "prove", Value: "database", Usage: "(`HOW`) with --all: tenants by database, by calls, or by sample=K calls each"},
		&cli.IntFlag{Name: "db-connections", Value: 8, Usage: "(`N`) with --all: connections to one database server at once"},
		&cli.StringFlag{Name: "config", Usage: "(`PATH`) Moodle's config.php; else MOODLE_CONFIG, upwards from here, the usual places"},
		&cli.StringSliceFlag{Name: "cfg", Usage: "(`NAME=VALUE`) stands for what config.php says of $CFG->NAME; passwords as dbpass=@FILE"},
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done; write nothing, send no key"},
		&cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout and nothing else there"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing unless something failed"},
		&cli.BoolFlag{Name: "debug", Aliases: []string{"d"}, Usage: "log what is done on stderr"},
		&cli.StringFlag{Name: "log-format", Value: "console", Usage: "(`FORMAT`) how the log is written: console or json"},
		duration("timeout", "15s", "(`DURATION`) limit of one call to a peer"),
		duration("deadline", "10m", "(`DURATION`) limit of the run; peers not reached by then stay pending"),
		duration("lock-wait", "30s", "(`DURATION`) how long to wait for another run on this tenant"),
		&cli.IntFlag{Name: "concurrency", Value: 32, Usage: "(`N`) calls to peers at once, never more than 4 to one address"},
		&cli.IntFlag{Name: "retries", Value: 2, Usage: "(`N`) extra tries of a call, for what a retry can cure"},
		&cli.IntFlag{Name: "days", Usage: "(`N`) life of the new certificate; without it the site's, mostly 28"},
		&cli.IntFlag{Name: "key-bits", Value: 2048, Usage: "(`N`) size of the new RSA key: 2048, 3072 or 4096"},
		&cli.StringFlag{Name: "self-check", Value: "auto", Usage: "(`MODE`) where the own site cannot be asked: require stops, auto warns; off never asks"},
		&cli.BoolFlag{Name: "tls-skip-verify", Usage: "verify no TLS certificate, whatever a peer's row says"},
		&cli.StringFlag{Name: "ca-file", Usage: "(`FILE`) PEM of authorities to trust besides the system's"},
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
