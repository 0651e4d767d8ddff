package cmdline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"renew_mnetkeys/rotate"
)

// Name is a command's word on the command line, in documents and for hooks.
type Name string

// The commands.
const (
	Renew    Name = "renew"
	Push     Name = "push"
	Rollback Name = "rollback"
	Verify   Name = "verify"
	Status   Name = "status"
	Check    Name = "check"
	Doctor   Name = "doctor"
)

// Command is what the first word of the command line asks for; without one the
// key is renewed.
type Command struct {
	Name    Name
	Does    string // for --help
	Changes bool   // it may write
	Words
	// One and Plan work on one tenant; Plan is the dry run, nil where there is none.
	One, Plan func(*rotate.Renewal, context.Context, Options) rotate.TenantReport
	// Many works on an array, and gives the exit code.
	Many func(*rotate.Array, context.Context, Options) int
}

// Words say what a command does to tenants, where people read it.
type Words struct {
	To    string // 3 tenants to …
	Would string // of a dry run: … https://tenant.example
	Could string // of a dry run: 3 …, whom nothing stops
	Did   string // 3 …; "" where the outcome's own word says it
}

// Commands are all, the one without a word first.
var Commands = []Command{
	{
		Name: Renew, Does: "renew the key and prove it", Changes: true,
		Words: Words{To: "renew", Would: "would renew", Could: "can be renewed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Run(ctx) },
		Plan:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Plan(ctx) },
		Many:  runOrPlan,
	},
	{
		Name: Push, Does: "distribute the key that is stored, and renew nothing", Changes: true,
		Words: Words{To: "push", Would: "would push the key of", Could: "can be pushed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Distribute(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanDistribute(ctx)
		},
		Many: runOrPlan,
	},
	{
		Name: Rollback, Does: "make the newest retired key current again, then push and prove it", Changes: true,
		Words: Words{To: "roll back", Would: "would roll back", Could: "can be rolled back", Did: "rolled back"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.RollBack(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanRollBack(ctx)
		},
		Many: runOrPlan,
	},
	{
		Name: Verify, Does: "prove every link by sealed calls, both ways where possible; writes nothing",
		Words: Words{To: "verify", Did: "verified"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Status, Does: "show key, history and peers as the database has them; writes nothing",
		Words: Words{To: "look at", Did: "read"},
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
		Name: Check, Does: "verify for Nagios and Icinga: one line, performance data, exit 0 to 3; writes nothing",
		Words: Words{To: "check"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Doctor, Does: "find what is wrong, and say what to do; writes nothing",
		Words: Words{To: "examine", Did: "examined"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Diagnose(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyDoctor) },
	},
}

// row is the command of that name; the first where there is none.
func (n Name) row() Command {
	for _, c := range Commands {
		if c.Name == n {
			return c
		}
	}
	return Commands[0]
}

// Changes tells whether the command may write.
func (n Name) Changes() bool { return n.row().Changes }

// Good is the outcome of a tenant with which the command has done its work.
func (n Name) Good() rotate.Outcome {
	if n == Renew || n == Rollback {
		return rotate.Renewed
	}
	return rotate.Kept
}

// Words say what the command does.
func (n Name) Words() Words { return n.row().Words }

func runOrPlan(a *rotate.Array, ctx context.Context, o Options) int {
	if o.DryRun {
		return a.Plan(ctx)
	}
	return a.Run(ctx)
}

// CommandOf takes the command's word off the command line.
func CommandOf(args []string) (Command, []string) {
	if len(args) > 1 {
		for _, cmd := range Commands[1:] {
			if args[1] == string(cmd.Name) {
				return cmd, slices.Concat(args[:1], args[2:])
			}
		}
	}
	return Commands[0], args
}

// Line is how the command is called.
func (c Command) Line() string {
	if c.Name == Commands[0].Name {
		return "renew_mnetkeys"
	}
	return "renew_mnetkeys " + string(c.Name)
}

// Writes tells whether the run may write: then it must not read what a replica has.
func (o Options) Writes() bool { return o.Command.Changes() && !o.DryRun }

// strayWord explains a word that is no option.
func strayWord(cmd Command, words []string) error {
	var names []string
	for _, c := range Commands[1:] {
		names = append(names, string(c.Name))
	}
	hint := "the commands are " + strings.Join(names, ", ") + ", and every option starts with --; see renew_mnetkeys --help"
	isCommand := slices.ContainsFunc(Commands, func(c Command) bool { return string(c.Name) == words[0] })
	switch {
	case isCommand && words[0] == string(Commands[0].Name):
		hint = "leave the word out: without a command the key is renewed"
	case isCommand && cmd.Name == Commands[0].Name:
		hint = "the command comes first: renew_mnetkeys " + words[0] + " …"
	case strings.HasPrefix(words[0], "http"):
		hint = cmd.Line() + " --host=" + strings.Join(words, " ")
	case len(words) > 1 && strings.HasPrefix(words[1], "-"):
		hint = "without the word: " + cmd.Line() + " … " + strings.Join(words[1:], " ")
	}
	return &UsageError{Problem: fmt.Sprintf("unexpected word %q", words[0]), Advice: hint}
}

// usageProblem explains an option that the command does not take, by the commands
// that do.
func usageProblem(cmd Command, err error) error {
	problem := err.Error()
	hint := "see " + cmd.Line() + " --help"
	if _, name, ok := strings.Cut(problem, "flag provided but not defined: -"); ok {
		for _, o := range optionTable() {
			if slices.Contains(o.flag.Names(), strings.TrimLeft(name, "-")) {
				hint = fmt.Sprintf("it is an option of %s; see renew_mnetkeys --help", o.takers())
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
