package cmdline

import (
	"math"
	"strconv"
	"time"

	"renew_mnetkeys/rotate"
)

// Options are what the user asks for: each field is set by the row of its option, below.
type Options struct {
	Command Name
	Host    string
	// Options are those of every renewal, but for the links that BindHost asks for.
	rotate.Options
	BindHost []string
	Debug    bool

	Config string
	Cfg    map[string]string
	PHP    string // path of php, "": it is looked for

	DryRun    bool
	JSON      bool
	Quiet     bool
	LogFormat string

	Timeout, Deadline    time.Duration
	Concurrency, Retries int
	TLSSkipVerify        bool
	CAFile               string
	RandomDelay          time.Duration

	Live, Yes, Verbose bool
	Warning, Critical  time.Duration

	PreHook, CacheHook, PostHook string
	Report, PrometheusFile       string

	All   bool
	Array ArrayOptions
}

// ArrayOptions are those that go with --all; without it they are not set.
type ArrayOptions struct {
	rotate.ArrayOptions
	rotate.Selection
	WithMaster    bool
	DBConnections int
}

// defaultOptionFile is read if it exists.
const defaultOptionFile = "/etc/renew_mnetkeys.conf"

// groups are all options, in the order of --help. A new option is a row here and a field above:
// help, man page, completions, sample file, environment and file of options range over the rows.
var groups = []group{
	{"The site", []*option{
		{name: "host", short: "H", arg: "URL", example: "https://tenant.example.org", set: setHost,
			help: "wwwroot of the tenant; without it the tenant of config.php itself"},
		{name: "config", arg: "PATH", example: "/var/www/moodle/config.php",
			set:  text(func(o *Options) *string { return &o.Config }),
			help: "Moodle's config.php; else MOODLE_CONFIG, upwards from here, the usual places (below)"},
		{name: "cfg", arg: "NAME=VALUE", repeats: true, example: "dbhost=db.example.org", set: addCfg,
			help: "stands for what config.php says of $CFG->NAME; passwords as dbpass=@FILE"},
		{name: "php", arg: "PATH", example: "/usr/bin/php8.2",
			set:  maybe(func(o *Options) *string { return &o.PHP }),
			help: "php that evaluates what config.php computes; without it $CFG->pathtophp, PATH and the usual places"},
		{name: "options", arg: "FILE", preset: defaultOptionFile,
			set:  text(func(*Options) *string { return new(string) }), // it has been read by then
			help: "of options, one a line; the command line and the environment win"},
	}},
	{"The array", []*option{
		{name: "all", set: on(func(o *Options) *bool { return &o.All }),
			help: "every enabled tenant of the array that has MNet",
			off:  "add --all to renew the array, or leave it out",
			conflicts: []conflict{
				{with: "host", advice: "--host names one tenant, --all is the array; for some of it use --all --match"},
				{with: "bindhost", advice: "connect hosts first: --bindhost goes with --host"},
			}},
		{name: "withmaster", short: "m", needs: "all", set: on(func(o *Options) *bool { return &o.Array.WithMaster }),
			help: "with --all: the master too"},
		{name: "match", arg: "GLOB", repeats: true, needs: "all", example: "https://*.example.org",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.Array.Match }),
			help: "with --all: only tenants whose wwwroot it matches; * matches slashes too"},
		{name: "exclude", arg: "GLOB", repeats: true, needs: "all", example: "https://old.example.org",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.Array.Exclude }),
			help: "with --all: not these"},
		{name: "shard", arg: "I/N", needs: "all", example: "0/4", set: setShard,
			help: "with --all: this machine's part, I from 0 to N-1"},
		{name: "fullstop", short: "s", of: changing, needs: "all", set: on(func(o *Options) *bool { return &o.Array.FullStop }),
			help:      "with --all: stop at the first tenant that fails",
			conflicts: []conflict{{with: "max-failures", when: func(_, n string) bool { return n != "1" }}}},
		{name: "max-failures", arg: "N", of: renewing, needs: "all", example: "5",
			set:  number(0, math.MaxInt, "", func(o *Options) *int { return &o.Array.MaxFailures }),
			help: "with --all: renew no more tenants once so many failed; without it all are tried"},
		{name: "canary", arg: "N", of: renewing, needs: "all", preset: "1",
			set:  number(0, math.MaxInt, "", func(o *Options) *int { return &o.Array.Canary }),
			help: "with --all: so many tenants go first; one that fails stops the others"},
		{name: "fresh", arg: "DURATION", of: renew, needs: "all", preset: "1h",
			set:  span(0, func(o *Options) *time.Duration { return &o.Array.Fresh }),
			help: "with --all: a key younger than this is kept, distributed and proven"},
		{name: "push", arg: "WAY", of: changing, needs: "all", preset: "auto", words: []string{"auto", "keyswap"},
			set:  word(func(o *Options, way string) { o.Array.ByKeyswap = way == "keyswap" }),
			help: "with --all: auto tells tenants of the array by their databases, keyswap by HTTP"},
		{name: "prove", arg: "HOW", of: changing, needs: "all", preset: "database", words: []string{"database", "calls", "sample=1"}, set: setProve,
			help: "with --all: tenants by database, by calls, or by sample=K calls each"},
		{name: "db-connections", arg: "N", needs: "all", preset: "8",
			set:  number(2, 1000, ": one of them holds the locks", func(o *Options) *int { return &o.Array.DBConnections }),
			help: "with --all: connections to one database server at once"},
	}},
	{"The renewal", []*option{
		{name: "newkey", short: "n", of: renew, set: on(func(o *Options) *bool { return &o.NewKey }),
			help: "start MNet first if it is off, then renew"},
		{name: "bindhost", short: "b", arg: "URL|subs", repeats: true, of: renew, words: []string{"subs"}, example: "https://peer.example.org", set: addBindHost,
			help: "connect that host, or every enabled tenant, as a peer before the push"},
		{name: "if-due", of: renew, set: on(func(o *Options) *bool { return &o.Due.OnlyIfDue }),
			help: "renew only a key that is nearly over; else push to peers that are not proven (for cron)",
			off:  "without --if-due the key is renewed whatever is left of its life",
			conflicts: []conflict{
				{with: "newkey", problem: "--if-due is for a site that runs: --newkey and --bindhost set one up", advice: "run them once, without --if-due"},
				{with: "bindhost", problem: "--if-due is for a site that runs: --newkey and --bindhost set one up", advice: "run them once, without --if-due"},
			}},
		{name: "renew-before", arg: "DURATION", of: renew, needs: "if-due", preset: "auto", words: []string{"auto"}, set: setRenewBefore,
			help: "with --if-due: so long before its end a key is due; auto is a third of its life"},
		{name: "abandon-pending", of: renew, set: on(func(o *Options) *bool { return &o.AbandonPending }),
			help: "trim the key history although some peers are not proven"},
		{name: "random-delay", arg: "DURATION", of: renew, preset: "0s", example: "30m",
			set:  span(0, func(o *Options) *time.Duration { return &o.RandomDelay }),
			help: "wait up to so long first, unless on a terminal or in a dry run"},
		{name: "days", arg: "N", of: renew, example: "28",
			set:  number(1, 3650, "", func(o *Options) *int { return &o.Days }),
			help: "life of the new certificate; without it the site's, mostly 28"},
		{name: "key-bits", arg: "N", of: renew, preset: "2048", words: []string{"2048", "3072", "4096"},
			set:  word(func(o *Options, bits string) { o.KeyBits, _ = strconv.Atoi(bits) }),
			help: "size of the new RSA key: 2048, 3072 or 4096"},
		{name: "yes", short: "y", of: []Name{Rollback}, set: on(func(o *Options) *bool { return &o.Yes }),
			help: "roll back without asking; needed where nobody can be asked"},
		{name: "lock-wait", arg: "DURATION", of: changing, preset: "30s",
			set:  span(0, func(o *Options) *time.Duration { return &o.LockWait }),
			help: "how long to wait for another run on this tenant"},
		{name: "dry-run", of: changing, set: on(func(o *Options) *bool { return &o.DryRun }),
			help: "say what would be done; write nothing, send no key"},
	}},
	{"What is looked at", []*option{
		{name: "live", of: []Name{Status}, set: on(func(o *Options) *bool { return &o.Live }),
			help: "make the sealed calls of verify besides reading the database"},
		{name: "verbose", of: []Name{Doctor}, set: on(func(o *Options) *bool { return &o.Verbose }),
			help: "show notes too, and who uses each link"},
		{name: "warning", arg: "DURATION", of: []Name{Check}, preset: "7d",
			set:  span(0, func(o *Options) *time.Duration { return &o.Warning }),
			help: "WARNING when less of the key's life is left"},
		{name: "critical", arg: "DURATION", of: []Name{Check}, preset: "2d",
			set:       span(0, func(o *Options) *time.Duration { return &o.Critical }),
			help:      "CRITICAL when less of the key's life is left",
			conflicts: []conflict{{with: "warning", when: longer, problem: "--critical must not be longer than --warning", advice: "it is how much of the key's life is left"}}},
	}},
	{"Hooks", []*option{
		{name: "pre-hook", arg: "COMMAND", of: changing, example: "/usr/bin/true",
			set:  text(func(o *Options) *string { return &o.PreHook }),
			help: "run before anything is done; where it fails, nothing is"},
		{name: "cache-hook", arg: "COMMAND", of: changing, example: "php /var/www/moodle/admin/cli/purge_caches.php",
			set:  text(func(o *Options) *string { return &o.CacheHook }),
			help: "drops Moodle's cached configuration, instead of our own way"},
		{name: "post-hook", arg: "COMMAND", of: changing, example: "/usr/bin/true",
			set:  text(func(o *Options) *string { return &o.PostHook }),
			help: "run at the end, with the JSON document on its stdin"},
	}},
	{"Reaching peers", []*option{
		{name: "timeout", arg: "DURATION", preset: "15s",
			set:  span(1, func(o *Options) *time.Duration { return &o.Timeout }),
			help: "limit of one call to a peer"},
		{name: "deadline", arg: "DURATION", preset: "10m",
			set:  span(1, func(o *Options) *time.Duration { return &o.Deadline }),
			help: "limit of the run; peers not reached by then stay pending"},
		{name: "concurrency", arg: "N", preset: "32",
			set:  number(1, 1000, "", func(o *Options) *int { return &o.Concurrency }),
			help: "calls to peers at once, never more than 4 to one address"},
		{name: "retries", arg: "N", preset: "2",
			set:  number(0, 10, "", func(o *Options) *int { return &o.Retries }),
			help: "extra tries of a call, for what a retry can cure"},
		{name: "self-check", arg: "MODE", preset: "auto", words: []string{"require", "auto", "off"},
			set:  word(func(o *Options, mode string) { o.SelfCheck = rotate.SelfCheckMode(mode) }),
			help: "auto, require: stop if the local site cannot be asked; off: do not ask it, then no link is proven (exit 3)",
			conflicts: []conflict{{with: "node", when: func(mode, _ string) bool { return mode == "off" }, problem: "--node and --self-check=off contradict each other",
				advice: "--node says where to ask the local site, --self-check=off that it is not asked"}}},
		{name: "node", arg: "HOST[:PORT]", repeats: true, example: "127.0.0.1", set: addNodes,
			help: "ask the local site at this web server instead of at the addresses of its name (repeatable)"},
		{name: "ignore-peer", arg: "GLOB", repeats: true, example: "https://closed.example.org*",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.IgnorePeers }),
			help: "peers that are gone: still tried, but not counted if they are not proven (repeatable)"},
		{name: "tls-skip-verify", set: on(func(o *Options) *bool { return &o.TLSSkipVerify }),
			help: "verify no TLS certificate, whatever a peer's row says",
			conflicts: []conflict{{with: "ca-file", problem: "--tls-skip-verify makes --ca-file meaningless",
				advice: "drop --tls-skip-verify to verify against --ca-file"}}},
		{name: "ca-file", arg: "FILE", example: "/etc/ssl/certs/ca-certificates.crt",
			set:  text(func(o *Options) *string { return &o.CAFile }),
			help: "PEM of authorities to trust besides the system's"},
	}},
	{"Output", []*option{
		{name: "json", set: on(func(o *Options) *bool { return &o.JSON }),
			help: "print one JSON document on stdout and nothing else there"},
		{name: "report", arg: "FILE", example: "/var/lib/renew_mnetkeys/mnet.html",
			set:  text(func(o *Options) *string { return &o.Report }),
			help: "write an HTML page about the run"},
		{name: "prometheus-file", arg: "FILE", of: []Name{Renew, Push, Rollback, Verify, Check}, example: "/var/lib/prometheus/node-exporter/mnet.prom",
			set:  text(func(o *Options) *string { return &o.PrometheusFile }),
			help: "write metrics for the node exporter's textfile collector"},
		{name: "quiet", short: "q", set: on(func(o *Options) *bool { return &o.Quiet }),
			help:      "print nothing unless something failed",
			conflicts: []conflict{{with: "debug", advice: "for a silent run with a log use --quiet alone: failures are always logged"}}},
		{name: "debug", short: "d", set: on(func(o *Options) *bool { return &o.Debug }),
			help: "log what is done on stderr"},
		{name: "log-format", arg: "FORMAT", preset: "console", words: []string{"console", "json"},
			set:  word(func(o *Options, format string) { o.LogFormat = format }),
			help: "how the log is written: console or json"},
	}},
}

// The commands of options that not all take.
var (
	renew    = []Name{Renew}
	renewing = []Name{Renew, Rollback}
	changing = namesOf(func(c Command) bool { return c.Changes })
)
