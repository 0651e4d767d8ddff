package cmdline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// conflict is two options of which only one can be meant. On the command line that is
// an error; a file of options gives way.
type conflict struct {
	one, other      string
	problem, advice string
	// when tells by the values, as they are written, whether the two contradict each
	// other; nil: they do wherever both are in effect.
	when func(one, other string) bool
}

var conflicts = []conflict{
	{"all", "host", "--all and --host contradict each other", "--host names one tenant, --all is the array; for some of it use --all --match", nil},
	{"all", "bindhost", "--all and --bindhost contradict each other", "connect hosts first: --bindhost goes with --host", nil},
	{"if-due", "newkey", "--if-due is for a site that runs: --newkey and --bindhost set one up", "run them once, without --if-due", nil},
	{"if-due", "bindhost", "--if-due is for a site that runs: --newkey and --bindhost set one up", "run them once, without --if-due", nil},
	{"fullstop", "max-failures", "--fullstop and --max-failures contradict each other", "", func(_, n string) bool { return n != "1" }},
	{"quiet", "debug", "--quiet and --debug contradict each other", "for a silent run with a log use --quiet alone: failures are always logged", nil},
	{"tls-skip-verify", "ca-file", "--tls-skip-verify makes --ca-file meaningless", "drop --tls-skip-verify to verify against --ca-file", nil},
	{"self-check", "node", "--node and --self-check=off contradict each other", "--node says where to ask the local site, --self-check=off that it is not asked",
		func(mode, _ string) bool { return mode == "off" }},
	{"critical", "warning", "--critical must not be longer than --warning", "it is how much of the key's life is left", longer},
}

// between tells whether values of the two options contradict each other. "" and false
// are options that are not in effect.
func (c conflict) between(one, other string) bool {
	for _, value := range []string{one, other} {
		if value == "" || value == "false" {
			return false
		}
	}
	return c.when == nil || c.when(one, other)
}

func longer(one, other string) bool {
	var a, b durationValue
	return a.Set(one) == nil && b.Set(other) == nil && time.Duration(a) > time.Duration(b)
}

// checkConflicts finds options that contradict each other, wherever they come from.
func checkConflicts(c *cli.Context) error {
	for _, two := range conflicts {
		if two.between(written(c, two.one), written(c, two.other)) {
			return &UsageError{Problem: two.problem, Advice: two.advice}
		}
	}
	return nil
}

// written is the value of an option as it would be written; "" where it is not set and
// has no default that counts.
func written(c *cli.Context, name string) string {
	if d, ok := c.Generic(name).(*durationValue); ok {
		return d.String()
	}
	if !c.IsSet(name) {
		return ""
	}
	if list := c.StringSlice(name); len(list) > 0 {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(c.Value(name))
}

// needs is the switch without which the option means nothing, "" for none.
func (o option) needs() string {
	switch name := o.flag.Names()[0]; {
	case o.section == whichTenants && name != "all":
		return "all"
	case name == "renew-before":
		return "if-due"
	}
	return ""
}

// leaveOut says what to do about an option whose switch is missing.
var leaveOut = map[string]string{
	"all":    "add --all to renew the array, or leave it out",
	"if-due": "without --if-due the key is renewed whatever is left of its life",
}

// checkNeeds finds options whose switch is missing.
func checkNeeds(cmd Command, c *cli.Context) error {
	for _, o := range optionTable() {
		name, needs := o.flag.Names()[0], o.needs()
		if needs != "" && o.takes(cmd.Name) && c.IsSet(name) && !c.Bool(needs) {
			return &UsageError{Problem: "--" + name + " goes with --" + needs, Advice: leaveOut[needs]}
		}
	}
	return nil
}

// contradicts tells whether a line of a file of options contradicts what is given
// already.
func (l fileOption) contradicts(c *cli.Context, given map[string]bool) bool {
	return slices.ContainsFunc(conflicts, func(two conflict) bool {
		return two.one == l.name && given[two.other] && two.between(l.value, written(c, two.other)) ||
			two.other == l.name && given[two.one] && two.between(written(c, two.one), l.value)
	})
}
