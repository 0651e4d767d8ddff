package output

import (
	"regexp"
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
	user   string // of a command of this tool: who must run it, "" for the user of the site
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
		a.commands = append(a.commands, commandOf(line))
	}
	return a
}

// byUser is a command of this tool by a user, as a hint has it: one with options is complete.
var byUser = regexp.MustCompile(`^sudo -u (\S+) (` + tool + `(?: ….*| [a-z]+)?)$`)

func commandOf(line string) (c command) {
	if m := byUser.FindStringSubmatch(line); m != nil {
		c.user, line = m[1], m[2]
	}
	if change, isAgain := strings.CutPrefix(line, again); isAgain {
		c.again, c.change = true, strings.TrimPrefix(change, " ")
	} else {
		c.line = line
	}
	return c
}

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
	line := c.line
	if c.again {
		line = strings.TrimSuffix(again+" "+c.change, " ")
	}
	return sudo(c.user) + line
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
