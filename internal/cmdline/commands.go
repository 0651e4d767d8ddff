package cmdline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"renew_mnetkeys/rotate"
)

// Command is what the first word of the command line asks for; without one the
// key is renewed.
type Command struct {
	Name string
	does string // for --help
	// One and plan work on one tenant; plan is the dry run, nil where there is none.
	One, Plan func(*rotate.Renewal, context.Context, Options) rotate.TenantReport
	// Many works on an array, and gives the exit code.
	Many func(*rotate.Array, context.Context, Options) int
}

var subcommands = []Command{
	{
		Name: "renew", does: "renew the key and prove it",
		One:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Run(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Plan(ctx) },
		Many: runOrPlan,
	},
	{
		Name: "push", does: "distribute the key that is stored, and renew nothing",
		One: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Distribute(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanDistribute(ctx)
		},
		Many: runOrPlan,
	},
	{
		Name: "rollback", does: "make the newest retired key current again, then push and prove it",
		One: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.RollBack(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanRollBack(ctx)
		},
		Many: runOrPlan,
	},
	{
		Name: "verify", does: "prove every link by sealed calls, both ways where possible; writes nothing",
		One:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many: func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: "status", does: "show key, history and peers as the database has them; writes nothing",
		One: func(r *rotate.Renewal, ctx context.Context, o Options) rotate.TenantReport {
			return r.Status(ctx, o.Live)
		},
		Many: func(a *rotate.Array, ctx context.Context, o Options) int {
			if o.Live {
				return a.Survey(ctx, rotate.SurveyLive)
			}
			return a.Survey(ctx, rotate.SurveyStatus)
		},
	},
	{
		Name: "check", does: "verify for Nagios and Icinga: one line, performance data, exit 0 to 3; writes nothing",
		One:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many: func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: "doctor", does: "find what is wrong, and say what to do; writes nothing",
		One:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Diagnose(ctx) },
		Many: func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyDoctor) },
	},
}

func runOrPlan(a *rotate.Array, ctx context.Context, o Options) int {
	if o.DryRun {
		return a.Plan(ctx)
	}
	return a.Run(ctx)
}

// CommandOf takes the command's word off the command line.
func CommandOf(args []string) (Command, []string) {
	if len(args) > 1 {
		for _, cmd := range subcommands[1:] {
			if args[1] == cmd.Name {
				return cmd, slices.Concat(args[:1], args[2:])
			}
		}
	}
	return subcommands[0], args
}

// line is how the command is called.
func (c Command) line() string {
	if c.Name == subcommands[0].Name {
		return "renew_mnetkeys"
	}
	return "renew_mnetkeys " + c.Name
}

// changes tells whether the command may write.
func (c Command) changes() bool { return slices.Contains(Changing, c.Name) }

// Writes tells whether the run may write: then it must not read what a replica has.
func (o Options) Writes() bool { return slices.Contains(Changing, o.Command) && !o.DryRun }

// strayWord explains a word that is no option.
func strayWord(cmd Command, words []string) error {
	var names []string
	for _, c := range subcommands[1:] {
		names = append(names, c.Name)
	}
	hint := "the commands are " + strings.Join(names, ", ") + ", and every option starts with --; see renew_mnetkeys --help"
	isCommand := slices.ContainsFunc(subcommands, func(c Command) bool { return c.Name == words[0] })
	switch {
	case isCommand && words[0] == subcommands[0].Name:
		hint = "leave the word out: without a command the key is renewed"
	case isCommand && cmd.Name == subcommands[0].Name:
		hint = "the command comes first: renew_mnetkeys " + words[0] + " …"
	case strings.HasPrefix(words[0], "http"):
		hint = cmd.line() + " --host=" + strings.Join(words, " ")
	case len(words) > 1 && strings.HasPrefix(words[1], "-"):
		hint = "without the word: " + cmd.line() + " … " + strings.Join(words[1:], " ")
	}
	return &UsageError{Problem: fmt.Sprintf("unexpected word %q", words[0]), Advice: hint}
}

// usageProblem explains an option that the command does not take, by the commands
// that do.
func usageProblem(cmd Command, err error) error {
	problem := err.Error()
	hint := "see " + cmd.line() + " --help"
	if _, name, ok := strings.Cut(problem, "flag provided but not defined: -"); ok {
		for _, o := range optionTable() {
			if slices.Contains(o.flag.Names(), strings.TrimLeft(name, "-")) {
				hint = fmt.Sprintf("it is an option of %s; see renew_mnetkeys --help", strings.Join(o.of, ", "))
			}
		}
	}
	return &UsageError{Problem: problem, Advice: hint}
}

// knownVariables are the options of all commands, as the environment names them.
func knownVariables() map[string]bool {
	known := map[string]bool{}
	for _, o := range optionTable() {
		known[variable(o.flag.Names()[0])] = true
	}
	return known
}

var _ cli.Generic = (*renewBefore)(nil)
