package cmdline

import (
	"context"
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
	Move     Name = "move"
)

// Command is what the first word of the command line asks for; without such a word the key is
// renewed.
type Command struct {
	Name     Name
	Does     string // for --help
	Changes  bool   // it may write
	MakesKey bool   // it renews the key, if that is due
	// Question asks for confirmation, unless --yes is given; nil if the command does not ask. Before
	// it come the keys that a rollback replaces and brings back, as the command KeysFrom reads them;
	// none if that is "".
	Question func(Options) string
	KeysFrom Name
	// Single commands work on one site at a time, by Many on an array of which that site alone is
	// selected: they also write to the other members' databases.
	Single   bool
	Prints   Prints
	Good     rotate.Outcome // the outcome of a tenant if the command was successful
	Exits    rotate.Exits   // the meanings of its exit codes; see Options.Exits
	about    string         // for its own --help: more about what it does
	examples []example
	Words
	// One and Plan work on one tenant; Plan is the dry run, nil if there is none.
	One, Plan func(*rotate.Renewal, context.Context, Options) rotate.TenantReport
	// Many works on an array, and gives the exit code.
	Many func(*rotate.Array, context.Context, Options) int
}

// example is a command line that can be pasted.
type example struct {
	does string
	args string // after renew_mnetkeys
}

// line is the whole command line: the web server's user can read config.php and purge caches.
func (e example) line() string { return "sudo -u www-data renew_mnetkeys " + e.args }

// Words say what a command does to tenants, for people.
type Words struct {
	To    string // 3 tenants to …
	Would string // in a dry run: … https://tenant.example
	Done  string // in a dry run: 3 can be …; after a failure: not …
	Did   string // 3 …; "" if the word of the outcome is used
	Seen  string // like Did, on the page of --report; "" if that is the same
}

// Prints is what a command prints for people about a tenant.
type Prints int

// What commands print.
const (
	PrintsOutcome  Prints = iota // its outcome; also the peers, if anything failed
	PrintsLinks                  // the same, and the peers in any case
	PrintsStored                 // what its database has
	PrintsFindings               // what is wrong with it
	PrintsState                  // a state of the Monitoring Plugins, with their exit codes
)

// Commands are all commands; the one without a word comes first.
var Commands = []Command{
	{
		Name: Renew, Does: "renew the key, push it to the peers and prove every link",
		about: "Make a new key and certificate, store them, check that the web server uses them, push the certificate to every peer, and prove every link.",
		examples: []example{
			{"show what would be done, and which peers can be reached", "--host=https://tenant.example.org --dry-run"},
			{"renew one tenant", "--host=https://tenant.example.org"},
			{"renew every tenant whose key expires soon (for cron)", "--all --withmaster --if-due --quiet"},
		},
		Changes: true, MakesKey: true, Good: rotate.Renewed, Exits: rotate.ExitsOfRenewal,
		Words: Words{To: "renew", Would: "would renew", Done: "renewed"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Run(ctx) },
		Plan:  func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Plan(ctx) },
		Many:  runOrPlan,
	},
	{
		Name: Push, Does: "push the stored key to the peers and prove it; renews nothing",
		about: "Prove the stored key, and push it to the peers that do not use it yet. This is the next step after an interrupted run, and when peers are pending.",
		examples: []example{
			{"push again to the peers of one tenant", "push --host=https://tenant.example.org"},
		},
		Changes: true, Good: rotate.Kept, Exits: rotate.ExitsOfChange,
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
		Name: Rollback, Does: "go back to the previous key, push it and prove it",
		about: "Make the newest retired key current again, then push and prove it. The key that it replaces stays in the key history. Keys of renewals that were undone are skipped: they were never in use.",
		examples: []example{
			{"show what would be done", "rollback --host=https://a.example --dry-run"},
			{"go back without being asked", "rollback --host=https://a.example --yes"},
		},
		Changes: true, KeysFrom: Status, Good: rotate.Renewed, Exits: rotate.ExitsOfChange,
		Question: func(o Options) string { return "Go back to the previous key of " + o.site() + "?" },
		Words:    Words{To: "roll back", Would: "would roll back", Done: "rolled back", Did: "rolled back"},
		One:      func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.RollBack(ctx) },
		Plan: func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport {
			return r.PlanRollBack(ctx)
		},
		Many: func(a *rotate.Array, ctx context.Context, o Options) int {
			a.RollBack = true
			return runOrPlan(a, ctx, o)
		},
	},
	{
		Name: Move, Does: "give a site that has moved its new wwwroot, with a new key",
		about: "Give the new wwwroot of config.php to the site's own mnet_host row, with a new key and certificate. " +
			"The rows of this site in the databases of the same array get the new wwwroot and certificate. For all other peers, print a message that their administrators need. " +
			"The command works on one site at a time; a second run only pushes the key.",
		examples: []example{
			{"show what would be done", "move --from=http://old.example.org --dry-run"},
			{"without being asked", "move --from=http://old.example.org --yes"},
		},
		Changes: true, MakesKey: true, Single: true, Good: rotate.Renewed, Exits: rotate.ExitsOfChange,
		Question: func(o Options) string {
			return "Has " + o.site() + " moved from " + o.MovedFrom + "? It gets a new key, and every database of its array gets its new wwwroot. If it is a copy, the original loses its links."
		},
		Words: Words{To: "move", Would: "would move", Done: "moved", Did: "moved"},
		Many:  runOrPlan,
	},
	{
		Name: Verify, Does: "prove every link; changes nothing",
		about: "Call the local site and every peer with the stored key. If the peer is in the same array, prove its calls to this site as well. With --all, links within the array are proven by the rows of both databases and a call to each web server.",
		examples: []example{
			{"prove every link of one tenant", "verify --host=https://tenant.example.org"},
		},
		Prints: PrintsLinks, Good: rotate.Kept, Exits: rotate.ExitsOfLook,
		Words: Words{To: "verify", Did: "verified"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Status, Does: "show key, key history and peers from the database; changes nothing",
		about: "Show the stored key, its expiry, the key history, and the certificates that the peers have. No site is called unless you add --live: without it, the options below \"Reaching peers\" have no effect, except --deadline, and the exit code says nothing about the key or MNet; use check or verify for that. With --live, the exit codes are those of verify.",
		examples: []example{
			{"show one tenant", "status --host=https://tenant.example.org"},
			{"show every tenant", "status --all --withmaster"},
		},
		Prints: PrintsStored, Good: rotate.Kept, Exits: rotate.ExitsOfStatus,
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
		Name: Check, Does: "verify for Nagios and Icinga, with their exit codes 0 to 3",
		about: "Prove every link as verify does, and print a line with performance data and then the problems, as the Monitoring Plugins do. It changes nothing.",
		examples: []example{
			{"check every tenant", "check --all --withmaster --warning=7d"},
		},
		Prints: PrintsState, Good: rotate.Kept, Exits: rotate.ExitsOfCheck,
		Words: Words{To: "check", Seen: "looked at"},
		One:   func(r *rotate.Renewal, ctx context.Context, _ Options) rotate.TenantReport { return r.Verify(ctx) },
		Many:  func(a *rotate.Array, ctx context.Context, _ Options) int { return a.Survey(ctx, rotate.SurveyVerify) },
	},
	{
		Name: Doctor, Does: "find problems and explain how to fix them; changes nothing",
		about: "Check configuration, database, caches, web server and peers. Every problem has a severity, a code and a next step.",
		examples: []example{
			{"examine one tenant", "doctor --host=https://tenant.example.org"},
			{"examine the array", "doctor --all --withmaster"},
		},
		Prints: PrintsFindings, Good: rotate.Kept, Exits: rotate.ExitsOfLook,
		Words: Words{To: "examine", Did: "examined"},
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

// joined writes names as one text.
func joined(names []Name, separator string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, separator)
}

// namesOf are the names of the commands that match so.
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

// site names what the command works on.
func (o Options) site() string {
	switch {
	case o.All:
		return "every selected tenant of the array"
	case o.Host == "":
		return "the tenant of config.php"
	}
	return o.Host
}

// Exits are the meanings of the run's exit codes: status --live proves the links as verify does.
func (o Options) Exits() rotate.Exits {
	if o.Live {
		return rotate.ExitsOfLook
	}
	return o.Command.Row().Exits
}

// Writes reports whether the run may write. If so, it must not read from a replica.
func (o Options) Writes() bool { return o.Command.Row().Changes && !o.DryRun }
