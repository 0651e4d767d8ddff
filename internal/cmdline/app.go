package cmdline

import (
	"io"

	"github.com/urfave/cli/v2"
)

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
