package cmdline

import (
	"flag"
	"io"

	"github.com/urfave/cli/v2"
)

func init() {
	cli.HelpFlag, cli.VersionFlag = ownSwitch{"help", "h"}, ownSwitch{"version", "v"}
}

// ownSwitch is --help or --version. Those of cli/v2 refuse to be given by both names, as in
// --help -h, into which [Arguments] makes help -h.
type ownSwitch struct{ name, short string }

// Apply implements cli.Flag: each command line has its own value, and both names set it.
func (s ownSwitch) Apply(set *flag.FlagSet) error {
	on := set.Bool(s.name, false, "")
	set.BoolVar(on, s.short, false, "")
	return nil
}

// Names implements cli.Flag, without the short name, as those of a setting.
func (s ownSwitch) Names() []string { return []string{s.name} }

// IsSet implements cli.Flag.
func (s ownSwitch) IsSet() bool { return false }

func (s ownSwitch) String() string { return "--" + s.name }

// NewApp adapts cli/v2 for one command: usage errors go to stderr as errors, never to stdout as
// help; only main exits; a stray word is an error and does not swallow the options after it.
func NewApp(cmd Command, stdout, stderr io.Writer, action func(Options)) *cli.App {
	all := settingsOf(cmd.Name)
	var flags []cli.Flag
	for _, s := range all {
		flags = append(flags, s)
	}
	return &cli.App{
		Name:                  cmd.Line(),
		Version:               Version(),
		HideHelpCommand:       true,
		Writer:                stdout,
		ErrWriter:             stderr,
		Flags:                 flags,
		Description:           helpText(cmd),
		CustomAppHelpTemplate: helpTemplate,
		ExitErrHandler:        func(*cli.Context, error) {},
		CommandNotFound: func(c *cli.Context, _ string) { // a word after --help
			_ = cli.ShowAppHelp(c) // stdout records whether it was written to
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return misread(cmd, err)
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return strayWord(cmd, c.Args().Slice())
			}
			o, err := all.options(cmd)
			if err != nil {
				return err
			}
			action(o)
			return nil
		},
	}
}
