package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"renew_mnetkeys/rotate"
)

// subcommand is what the first word of the command line asks for; without one the
// key is renewed.
type subcommand struct {
	name string
	does string // for --help
	// one and plan work on one tenant; plan is the dry run, nil where there is none.
	one, plan func(*rotate.Renewal, context.Context, options) rotate.TenantReport
	// many works on an array, and gives the exit code.
	many func(*rotate.Array, context.Context, options) int
}

var subcommands = []subcommand{
	{
		name: "renew", does: "renew the key and prove it",
		one:  func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Run(ctx) },
		plan: func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Plan(ctx) },
		many: runOrPlan,
	},
	{
		name: "push", does: "distribute the key that is stored, and renew nothing",
		one: func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Distribute(ctx) },
		plan: func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport {
			return r.PlanDistribute(ctx)
		},
		many: runOrPlan,
	},
	{
		name: "rollback", does: "make the newest retired key current again, then push and prove it",
		one: func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.RollBack(ctx) },
		plan: func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport {
			return r.PlanRollBack(ctx)
		},
		many: runOrPlan,
	},
	{
		name: "verify", does: "prove every link by sealed calls, both ways where possible; writes nothing",
		one:  func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Verify(ctx) },
		many: func(a *rotate.Array, ctx context.Context, _ options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		name: "status", does: "show key, history and peers as the database has them; writes nothing",
		one: func(r *rotate.Renewal, ctx context.Context, o options) rotate.TenantReport {
			return r.Status(ctx, o.Live)
		},
		many: func(a *rotate.Array, ctx context.Context, o options) int {
			if o.Live {
				return a.Survey(ctx, rotate.SurveyLive)
			}
			return a.Survey(ctx, rotate.SurveyStatus)
		},
	},
	{
		name: "check", does: "verify for Nagios and Icinga: one line, performance data, exit 0 to 3; writes nothing",
		one:  func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Verify(ctx) },
		many: func(a *rotate.Array, ctx context.Context, _ options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		name: "doctor", does: "find what is wrong, and say what to do; writes nothing",
		one:  func(r *rotate.Renewal, ctx context.Context, _ options) rotate.TenantReport { return r.Diagnose(ctx) },
		many: func(a *rotate.Array, ctx context.Context, _ options) int { return a.Survey(ctx, rotate.SurveyDoctor) },
	},
}

func runOrPlan(a *rotate.Array, ctx context.Context, o options) int {
	if o.DryRun {
		return a.Plan(ctx)
	}
	return a.Run(ctx)
}

// commandOf takes the command's word off the command line.
func commandOf(args []string) (subcommand, []string) {
	if len(args) > 1 {
		for _, cmd := range subcommands[1:] {
			if args[1] == cmd.name {
				return cmd, slices.Concat(args[:1], args[2:])
			}
		}
	}
	return subcommands[0], args
}

// line is how the command is called.
func (c subcommand) line() string {
	if c.name == subcommands[0].name {
		return "renew_mnetkeys"
	}
	return "renew_mnetkeys " + c.name
}

// changes tells whether the command may write.
func (c subcommand) changes() bool { return slices.Contains(changing, c.name) }

// writes tells whether the run may write: then it must not read what a replica has.
func (o options) writes() bool { return slices.Contains(changing, o.Command) && !o.DryRun }

// strayWord explains a word that is no option.
func strayWord(cmd subcommand, words []string) error {
	var names []string
	for _, c := range subcommands[1:] {
		names = append(names, c.name)
	}
	hint := "the commands are " + strings.Join(names, ", ") + ", and every option starts with --; see renew_mnetkeys --help"
	isCommand := slices.ContainsFunc(subcommands, func(c subcommand) bool { return c.name == words[0] })
	switch {
	case isCommand && words[0] == subcommands[0].name:
		hint = "leave the word out: without a command the key is renewed"
	case isCommand && cmd.name == subcommands[0].name:
		hint = "the command comes first: renew_mnetkeys " + words[0] + " …"
	case strings.HasPrefix(words[0], "http"):
		hint = cmd.line() + " --host=" + strings.Join(words, " ")
	case len(words) > 1 && strings.HasPrefix(words[1], "-"):
		hint = "without the word: " + cmd.line() + " … " + strings.Join(words[1:], " ")
	}
	return &usageError{problem: fmt.Sprintf("unexpected word %q", words[0]), hint: hint}
}

// usageProblem explains an option that the command does not take, by the commands
// that do.
func usageProblem(cmd subcommand, err error) error {
	problem := err.Error()
	hint := "see " + cmd.line() + " --help"
	if _, name, ok := strings.Cut(problem, "flag provided but not defined: -"); ok {
		for _, o := range optionTable() {
			if slices.Contains(o.flag.Names(), strings.TrimLeft(name, "-")) {
				hint = fmt.Sprintf("it is an option of %s; see renew_mnetkeys --help", strings.Join(o.of, ", "))
			}
		}
	}
	return &usageError{problem: problem, hint: hint}
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
