package output

import (
	"strings"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// advice is a hint whose commands can be looked at: a sentence, and the commands with which it ends.
type advice struct {
	sentence string // with its last "run: ", if there are commands
	commands []command
}

// command is a command of an advice, as rotate writes it.
type command struct {
	again  bool   // it is this run once more
	user   string // with again: who must run it, "" for the user of the site
	change string // with again: what differs, "" for nothing: forReal, alone, or an option
	line   string // without again: the command
}

const (
	chain = " && "
	again = "renew_mnetkeys …"               // this same command line; a change may follow
	tool  = "renew_mnetkeys"                 // with a command and its options
	purge = "php admin/cli/purge_caches.php" // for the site in question
	here  = "WWWROOT"                        // of the site in question

	forReal = "for real"      // without --dry-run
	alone   = "without --all" // for one site
)

// adviceOf reads a hint.
func adviceOf(hint string) advice {
	sentence, commands := rotate.SplitHint(hint)
	a := advice{sentence: sentence}
	if commands == "" {
		return a
	}
	for line := range strings.SplitSeq(commands, chain) {
		who, change, isAgain := strings.Cut(line, again)
		if !isAgain {
			a.commands = append(a.commands, command{line: line})
			continue
		}
		user := strings.TrimSuffix(strings.TrimPrefix(who, "sudo -u "), " ")
		a.commands = append(a.commands, command{again: true, user: user, change: strings.TrimPrefix(change, " ")})
	}
	return a
}

// String is the hint.
func (a advice) String() string { return a.with(command.String) }

// with is the hint with its commands written by this function.
func (a advice) with(written func(command) string) string {
	lines := make([]string, len(a.commands))
	for i, c := range a.commands {
		lines[i] = written(c)
	}
	return a.sentence + strings.Join(lines, chain)
}

// insteadOfAgain is the hint with another command instead of one that is this run once more as it was.
func (a advice) insteadOfAgain(other func(command) command) string {
	return a.with(func(c command) string {
		if c.again && c.change == "" {
			c = other(c)
		}
		return c.String()
	})
}

// forAll reports whether the advice is one command that one run can do for all tenants: a push, or a
// command that only reads.
func (a advice) forAll() bool {
	if len(a.commands) != 1 || hostIn(a.commands[0].line) != "" {
		return false
	}
	cmd, isTool := a.commands[0].ofTool()
	return isTool && cmd.Good != rotate.Renewed
}

func (c command) String() string {
	switch {
	case !c.again:
		return c.line
	case c.change != "":
		return sudo(c.user) + again + " " + c.change
	}
	return sudo(c.user) + again
}

// ofTool is the command of this tool that c is, if it is none that is repeated.
func (c command) ofTool() (cmd cmdline.Command, isTool bool) {
	words := strings.Fields(c.line)
	if len(words) == 0 || words[0] != tool {
		return cmd, false
	}
	cmd, _ = cmdline.CommandOf(words)
	return cmd, true
}

// sudo is what stands in front of a command that this user must run.
func sudo(user string) string {
	if user == "" {
		return ""
	}
	return "sudo -u " + quoted(user) + " "
}
