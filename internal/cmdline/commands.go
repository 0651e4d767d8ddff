package cmdline

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	Name     Name
	Does     string // for --help
	Changes  bool   // it may write
	MakesKey bool   // it renews the key, if that is due
	Asks     bool   // it asks for confirmation, unless --yes is given
	Prints   Prints
	Good     rotate.Outcome // of a tenant with which it has done its work
	exits    string         // for --help: its exit codes
	Words
	// One and Plan work on one tenant; Plan is the dry run, nil if there is none.
	One, Plan func(*rotate.Renewal, context.Context, Options) rotate.TenantReport
	// Many works on an array, and gives the exit code.
	Many func(*rotate.Array, context.Context, Options) int
}

// Words say what a command does to tenants, for people.
type Words struct {
	To    string // 3 tenants to …
	Would string // of a dry run: … https://tenant.example
	Done  string // of a dry run: 3 can be …; of a failure: not …
	Did   string // 3 …; "" if the outcome's own word says it
	Seen  string // as Did, on the page of --report; "" if that is the same
}

// Prints is what a command prints for people about a tenant.
type Prints int

// What commands print.
const (
	PrintsOutcome  Prints = iota // what became of it; the peers, if not all is well
	PrintsLinks                  // the same, and the peers in any case
	PrintsStored                 // what its database has
	PrintsFindings               // what is wrong with it
	PrintsState                  // a state of the Monitoring Plugins, whose exit codes it has, too
)

// Commands are all, the one without a word first.
var Commands = []Command{
	{
		Name: Renew, Does: "renew the key and prove it", Changes: true, MakesKey: true, Good: rotate.Renewed, exits: exitsOfChange,
		Words: Words{To: "renew", Would: "would renew", Done: "renewed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Run(ctx) },
		Plan:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Plan(ctx) },
		Many:  runOrPlan,
	},
	{
		Name: Push, Does: "distribute the key that is stored, and renew nothing", Changes: true, Good: rotate.Kept, exits: exitsOfChange,
		Words: Words{To: "push", Would: "would push the key of", Done: "pushed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Distribute(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanDistribute(ctx)
		},
		Many: func(a *rotate.Array, ctx context.Context, o Options) int {
			a.PushOnly = true
			return runOrPlan(a, ctx, o)
		},
	},
	{
		Name: Rollback, Does: "make the newest retired key current again, then push and prove it", Changes: true, Asks: true, Good: rotate.Renewed, exits: exitsOfChange,
		Words: Words{To: "roll back", Would: "would roll back", Done: "rolled back", Did: "rolled back"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.RollBack(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanRollBack(ctx)
		},
		Many: func(a *rotate.Array, ctx context.Context, o Options) int {
			a.RollBack = true
			return runOrPlan(a, ctx, o)
		},
	},
	{
		Name: Verify, Does: "prove every link by sealed calls, both ways where possible; writes nothing", Prints: PrintsLinks, Good: rotate.Kept, exits: exitsOfLook,
		Words: Words{To: "verify", Did: "verified"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Status, Does: "show key, history and peers as the database has them; writes nothing", Prints: PrintsStored, Good: rotate.Kept, exits: exitsOfLook,
		Words: Words{To: "look at", Did: "read", Seen: "looked at"},
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
		Name: Check, Does: "verify for Nagios and Icinga: one line, performance data, exit 0 to 3; writes nothing", Prints: PrintsState, Good: rotate.Kept, exits: exitsOfCheck,
		Words: Words{To: "check", Seen: "looked at"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Doctor, Does: "find what is wrong, and say what to do; writes nothing", Prints: PrintsFindings, Good: rotate.Kept, exits: exitsOfLook,
		Words: Words{To: "examine", Did: "examined", Seen: "diagnosed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Diagnose(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyDoctor) },
	},
}

// Row is the command of that name; the first if there is none.
func (n Name) Row() Command {
	for _, c := range Commands {
		if c.Name == n {
			return c
		}
	}
	return Commands[0]
}

// joined are names as one text.
func joined(names []Name, separator string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, separator)
}

// namesOf are the names of the commands for which so is true.
func namesOf(so func(Command) bool) (names []Name) {
	for _, c := range Commands {
		if so(c) {
			names = append(names, c.Name)
		}
	}
	return names
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

// Writes tells whether the run may write. If so, it must not read from a replica.
func (o Options) Writes() bool { return o.Command.Row().Changes && !o.DryRun }

// strayWord explains a word that is not an option.
func strayWord(cmd Command, words []string) error {
	hint := "the commands are " + strings.Join(commandWords(), ", ") + ", and every option starts with --; see renew_mnetkeys --help"
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
		for _, o := range allOptions() {
			if slices.Contains(o.names(), strings.TrimLeft(name, "-")) {
				hint = fmt.Sprintf("it is an option of %s; see renew_mnetkeys --help", o.takers(", "))
			}
		}
	}
	return &UsageError{Problem: problem, Advice: hint}
}
