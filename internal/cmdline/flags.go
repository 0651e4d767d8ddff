package cmdline

import (
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// NewApp tames cli/v2 for one command: usage errors go to stderr as errors, never
// to stdout as help; nothing but main exits; a stray word is an error instead of
// swallowing the flags behind it.
func NewApp(cmd Command, stdout, stderr io.Writer, action func(Options)) *cli.App {
	return &cli.App{
		Name:                      cmd.Line(),
		Version:                   Version(),
		HideHelpCommand:           true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		Flags:                     flagsOf(cmd.Name),
		Description:               helpText(cmd),
		DisableSliceFlagSeparator: true,
		CustomAppHelpTemplate:     helpTemplate,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usageProblem(cmd, err)
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return strayWord(cmd, c.Args().Slice())
			}
			o, err := readOptions(cmd, c)
			if err != nil {
				return err
			}
			action(o)
			return nil
		},
	}
}

// section is where an option stands in --help.
type section string

const (
	whichSite    section = "The site"
	whichTenants section = "The array"
	theRenewal   section = "The renewal"
	theLook      section = "What is looked at"
	thePeers     section = "Reaching peers"
	theOutput    section = "Output"
	theHooks     section = "Hooks"
)

// sections are in the order of --help.
var sections = []section{whichSite, whichTenants, theRenewal, theLook, theHooks, thePeers, theOutput}

// option is a flag, and which commands take it: all where none is named.
type option struct {
	flag    cli.Flag
	section section
	of      []Name
}

// words are the commands of an option that not all take, as they are typed.
func (o option) words() []string {
	var words []string
	for _, n := range o.of {
		words = append(words, string(n))
	}
	return words
}

func (o option) takers() string { return strings.Join(o.words(), ", ") }

// changing are the commands that write.
func changing() (names []Name) {
	for _, c := range Commands {
		if c.Changes {
			names = append(names, c.Name)
		}
	}
	return names
}

func optionTable() []option {
	changing, renewing, renew := changing(), []Name{Renew, Rollback}, []Name{Renew}
	return []option{
		{&cli.StringFlag{Name: "host", Aliases: []string{"H"}, Usage: "(`URL`) wwwroot of the tenant; without it the tenant of config.php itself"}, whichSite, nil},
		{&cli.StringFlag{Name: "config", Usage: "(`PATH`) Moodle's config.php; else MOODLE_CONFIG, upwards from here, the usual places (below)"}, whichSite, nil},
		{&cli.StringSliceFlag{Name: "cfg", Usage: "(`NAME=VALUE`) stands for what config.php says of $CFG->NAME; passwords as dbpass=@FILE"}, whichSite, nil},
		{&cli.StringFlag{Name: "php", Usage: "(`PATH`) php that evaluates what config.php computes; without it $CFG->pathtophp, PATH and the usual places"}, whichSite, nil},
		{&cli.StringFlag{Name: "options", Value: defaultOptionFile, Usage: "(`FILE`) of options, one a line; the command line and the environment win"}, whichSite, nil},

		{&cli.BoolFlag{Name: "all", Usage: "every enabled tenant of the array that has MNet"}, whichTenants, nil},
		{&cli.BoolFlag{Name: "withmaster", Aliases: []string{"m"}, Usage: "with --all: the master too"}, whichTenants, nil},
		{&cli.StringSliceFlag{Name: "match", Usage: "(`GLOB`) with --all: only tenants whose wwwroot it matches; * matches slashes too"}, whichTenants, nil},
		{&cli.StringSliceFlag{Name: "exclude", Usage: "(`GLOB`) with --all: not these"}, whichTenants, nil},
		{&cli.StringFlag{Name: "shard", Usage: "(`I/N`) with --all: this machine's part, I from 0 to N-1"}, whichTenants, nil},
		{&cli.BoolFlag{Name: "fullstop", Aliases: []string{"s"}, Usage: "with --all: stop at the first tenant that fails"}, whichTenants, changing},
		{&cli.IntFlag{Name: "max-failures", Usage: "(`N`) with --all: renew no more tenants once so many failed; without it all are tried"}, whichTenants, renewing},
		{&cli.IntFlag{Name: "canary", Value: 1, Usage: "(`N`) with --all: so many tenants go first; one that fails stops the others"}, whichTenants, renewing},
		{duration("fresh", "1h", "(`DURATION`) with --all: a key younger than this is kept, distributed and proven"), whichTenants, renew},
		{&cli.StringFlag{Name: "push", Value: "auto", Usage: "(`WAY`) with --all: auto tells tenants of the array by their databases, keyswap by HTTP"}, whichTenants, changing},
		{&cli.StringFlag{Name: "prove", Value: "database", Usage: "(`HOW`) with --all: tenants by database, by calls, or by sample=K calls each"}, whichTenants, changing},
		{&cli.IntFlag{Name: "db-connections", Value: 8, Usage: "(`N`) with --all: connections to one database server at once"}, whichTenants, nil},

		{&cli.BoolFlag{Name: "newkey", Aliases: []string{"n"}, Usage: "start MNet first if it is off, then renew"}, theRenewal, renew},
		{&cli.StringSliceFlag{Name: "bindhost", Aliases: []string{"b"}, Usage: "(`URL|subs`) connect that host, or every enabled tenant, as a peer before the push"}, theRenewal, renew},
		{&cli.BoolFlag{Name: "if-due", Usage: "renew only a key that is nearly over; else push to peers that are not proven (for cron)"}, theRenewal, renew},
		{&cli.GenericFlag{Name: "renew-before", Value: new(renewBefore), Usage: "(`DURATION`) with --if-due: so long before its end a key is due; auto is a third of its life"}, theRenewal, renew},
		{&cli.BoolFlag{Name: "abandon-pending", Usage: "trim the key history although some peers are not proven"}, theRenewal, renew},
		{duration("random-delay", "0s", "(`DURATION`) wait up to so long first, unless on a terminal or in a dry run"), theRenewal, renew},
		{&cli.IntFlag{Name: "days", Usage: "(`N`) life of the new certificate; without it the site's, mostly 28"}, theRenewal, renew},
		{&cli.IntFlag{Name: "key-bits", Value: 2048, Usage: "(`N`) size of the new RSA key: 2048, 3072 or 4096"}, theRenewal, renew},
		{&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "roll back without asking; needed where nobody can be asked"}, theRenewal, []Name{Rollback}},
		{duration("lock-wait", "30s", "(`DURATION`) how long to wait for another run on this tenant"), theRenewal, changing},
		{&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done; write nothing, send no key"}, theRenewal, changing},

		{&cli.BoolFlag{Name: "live", Usage: "make the sealed calls of verify besides reading the database"}, theLook, []Name{Status}},
		{duration("warning", "7d", "(`DURATION`) WARNING when less of the key's life is left"), theLook, []Name{Check}},
		{duration("critical", "2d", "(`DURATION`) CRITICAL when less of the key's life is left"), theLook, []Name{Check}},

		{&cli.StringFlag{Name: "pre-hook", Usage: "(`COMMAND`) run before anything is done; where it fails, nothing is"}, theHooks, changing},
		{&cli.StringFlag{Name: "cache-hook", Usage: "(`COMMAND`) drops Moodle's cached configuration, instead of our own way"}, theHooks, changing},
		{&cli.StringFlag{Name: "post-hook", Usage: "(`COMMAND`) run at the end, with the JSON document on its stdin"}, theHooks, changing},

		{duration("timeout", "15s", "(`DURATION`) limit of one call to a peer"), thePeers, nil},
		{duration("deadline", "10m", "(`DURATION`) limit of the run; peers not reached by then stay pending"), thePeers, nil},
		{&cli.IntFlag{Name: "concurrency", Value: 32, Usage: "(`N`) calls to peers at once, never more than 4 to one address"}, thePeers, nil},
		{&cli.IntFlag{Name: "retries", Value: 2, Usage: "(`N`) extra tries of a call, for what a retry can cure"}, thePeers, nil},
		{&cli.StringFlag{Name: "self-check", Value: "auto", Usage: "(`MODE`) auto, require: stop if the local site cannot be asked; off: do not ask it, then no link is proven (exit 3)"}, thePeers, nil},
		{&cli.StringSliceFlag{Name: "node", Usage: "(`HOST[:PORT]`) ask the local site at this web server instead of at the addresses of its name (repeatable)"}, thePeers, nil},
		{&cli.BoolFlag{Name: "tls-skip-verify", Usage: "verify no TLS certificate, whatever a peer's row says"}, thePeers, nil},
		{&cli.StringFlag{Name: "ca-file", Usage: "(`FILE`) PEM of authorities to trust besides the system's"}, thePeers, nil},

		{&cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout and nothing else there"}, theOutput, nil},
		{&cli.StringFlag{Name: "report", Usage: "(`FILE`) write an HTML page about the run"}, theOutput, nil},
		{&cli.StringFlag{Name: "prometheus-file", Usage: "(`FILE`) write metrics for the node exporter's textfile collector"}, theOutput, []Name{Renew, Push, Rollback, Verify, Check}},
		{&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing unless something failed"}, theOutput, nil},
		{&cli.BoolFlag{Name: "debug", Aliases: []string{"d"}, Usage: "log what is done on stderr"}, theOutput, nil},
		{&cli.StringFlag{Name: "log-format", Value: "console", Usage: "(`FORMAT`) how the log is written: console or json"}, theOutput, nil},
	}
}

// takes tells whether a command has the option.
func (o option) takes(command Name) bool {
	return len(o.of) == 0 || slices.Contains(o.of, command)
}

// flagsOf are the flags of a command, each with its environment variable.
func flagsOf(command Name) []cli.Flag {
	var list []cli.Flag
	for _, o := range optionTable() {
		if o.takes(command) {
			addEnvironment(o.flag)
			list = append(list, o.flag)
		}
	}
	return list
}

// variable is the name of an option in the environment.
func variable(option string) string {
	return "MNETKEYS_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

func addEnvironment(f cli.Flag) {
	env := []string{variable(f.Names()[0])}
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
