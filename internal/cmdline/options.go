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
	// The options of every renewal, except for the links that BindHost asks for.
	rotate.Options
	BindHost []string
	Debug    bool

	Config []string // paths and globs
	Cfg    map[string]string
	PHP    string // path of php; "": it is searched

	DryRun    bool
	JSON      bool
	Quiet     bool
	LogFormat string
	Redact    bool

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

	// Environment are the arguments that say what variables have set, MOODLE_CONFIG too, but for
	// hooks: sudo takes variables away.
	Environment []string

	// Elsewhere are the places of the options that are set, but not on the command line, by name.
	Elsewhere map[string]string
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

// groups are all options, in the order of --help; those that most people need come first. To add an
// option, add a row here and a field above: help, man page, completions, sample file, environment
// and option file use the rows.
var groups = []group{
	{"Most used", []*option{
		{name: "host", short: "H", arg: "URL", example: "https://tenant.example.org", set: setHost,
			help: "work on the tenant with this wwwroot (default: the site of config.php)"},
		{name: "config", arg: "PATH", repeats: true, example: "/var/www/moodle/config.php",
			set:  addText(func(o *Options) *[]string { return &o.Config }),
			help: "read this config.php of Moodle (default: MOODLE_CONFIG, else search the usual places); a glob, or several, make an array"},
		{name: "all", of: together, set: on(func(o *Options) *bool { return &o.All }),
			help: "work on every tenant that is enabled and has MNet in VMoodle's register, or on the sites of several --config",
			off:  "to work on the array, add --all",
			conflicts: []conflict{
				{with: "host", advice: "--host selects one tenant, --all the array; for a part of it use --all --match=GLOB"},
				{with: "bindhost", advice: "connect the peers first: --host=URL --bindhost=URL"},
			}},
		{name: "withmaster", short: "m", of: together, needs: "all", set: on(func(o *Options) *bool { return &o.Array.WithMaster }),
			help: "with --all: include the master"},
		{name: "dry-run", of: changing, set: on(func(o *Options) *bool { return &o.DryRun }),
			help: "show what would be done; write nothing, send no key"},
		{name: "if-due", of: renew, set: on(func(o *Options) *bool { return &o.Due.OnlyIfDue }),
			help: "renew only if the key expires soon; otherwise push to peers that are not proven yet (for cron)",
			off:  "to renew only a key that expires soon, add --if-due",
			conflicts: []conflict{
				{with: "newkey", advice: "--newkey sets up a site: use it once, without --if-due"},
				{with: "bindhost", advice: "--bindhost sets up a peer: use it once, without --if-due"},
			}},
		{name: "newkey", short: "n", of: renew, set: on(func(o *Options) *bool { return &o.NewKey }),
			help: "switch MNet on first if it is off, then renew"},
		{name: "quiet", short: "q", set: on(func(o *Options) *bool { return &o.Quiet }),
			help:      "print nothing unless something fails; the command check always prints its line",
			conflicts: []conflict{{with: "debug", advice: "use --quiet alone: failures are always logged"}}},
		{name: "json", set: on(func(o *Options) *bool { return &o.JSON }),
			help: "print one JSON document, and nothing else, on stdout"},
		{name: "report", arg: "FILE", example: "/var/lib/renew_mnetkeys/mnet.html",
			set:  text(func(o *Options) *string { return &o.Report }),
			help: "write an HTML report of the run to FILE"},
	}},
	{"Site", []*option{
		{name: "cfg", arg: "NAME=VALUE", repeats: true, example: "dbhost=db.example.org", set: addCfg,
			help: "override $CFG->NAME of config.php; give passwords as dbpass=@FILE"},
		{name: "php", arg: "PATH", example: "/usr/bin/php8.2",
			set:  maybe(func(o *Options) *string { return &o.PHP }),
			help: "use this PHP if config.php has to be evaluated (default: $CFG->pathtophp, PATH, the usual places)"},
		{name: "options", arg: "FILE", preset: defaultOptionFile,
			set:  text(func(*Options) *string { return new(string) }), // it was read already
			help: "read options from FILE, one per line; command line and environment take precedence"},
	}},
	{"Array", []*option{
		{name: "match", arg: "GLOB", repeats: true, of: together, needs: "all", example: "https://*.example.org",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.Array.Match }),
			help: "with --all: only tenants whose wwwroot matches"},
		{name: "exclude", arg: "GLOB", repeats: true, of: together, needs: "all", example: "https://old.example.org",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.Array.Exclude }),
			help: "with --all: leave out tenants that match"},
		{name: "shard", arg: "I/N", of: together, needs: "all", example: "0/4", set: setShard,
			help: "with --all: work on part I of N, to share an array among servers; I is 0 to N-1"},
		{name: "fullstop", short: "s", of: telling, needs: "all", set: on(func(o *Options) *bool { return &o.Array.FullStop }),
			help: "with --all: stop at the first tenant that fails",
			conflicts: []conflict{{with: "max-failures", when: func(_, n string) bool { return n != "1" },
				advice: "--fullstop stops at the first failure: leave out one of the two"}}},
		{name: "max-failures", arg: "N", of: renewing, needs: "all", example: "5",
			set:  number(0, math.MaxInt, "", func(o *Options) *int { return &o.Array.MaxFailures }),
			help: "with --all: renew no more tenants after N renewals failed; a tenant that fails the check before, or a link, does not count (default: no limit)"},
		{name: "canary", arg: "N", of: renewing, needs: "all", preset: "1",
			set:  number(0, math.MaxInt, "", func(o *Options) *int { return &o.Array.Canary }),
			help: "with --all: renew N tenants first; stop if one of them fails"},
		{name: "fresh", arg: "DURATION", of: renew, needs: "all", preset: "1h",
			set:  span(0, func(o *Options) *time.Duration { return &o.Array.Fresh }),
			help: "with --all: do not renew a key that is younger than this, only push and prove it"},
		{name: "push", arg: "WAY", of: telling, needs: "all", preset: "auto", words: []string{"auto", "keyswap"},
			set:  word(func(o *Options, way string) { o.Array.ByKeyswap = way == "keyswap" }),
			help: "with --all: auto sends certificates to tenants through their databases, keyswap by HTTP"},
		{name: "prove", arg: "HOW", of: telling, needs: "all", preset: "database", words: []string{"database", "calls", "sample=1"}, set: setProve,
			help: "with --all: prove links between tenants by database, by calls, or also by sample=K calls per tenant"},
		{name: "db-connections", arg: "N", of: together, needs: "all", preset: "8",
			set:  number(2, 1000, " (one of them has the locks)", func(o *Options) *int { return &o.Array.DBConnections }),
			help: "with --all: use at most N connections to one database server"},
	}},
	{"Renewal", []*option{
		{name: "bindhost", short: "b", arg: "URL|subs", repeats: true, of: renew, words: []string{"subs"}, example: "https://peer.example.org", set: addBindHost,
			help: "connect this host as a peer before the push; subs connects every enabled tenant"},
		{name: "renew-before", arg: "DURATION", of: renew, needs: "if-due", preset: "auto", words: []string{"auto"}, set: setRenewBefore,
			help: "with --if-due: renew this long before expiry; auto is one third of the lifetime"},
		{name: "abandon-pending", of: renew, set: on(func(o *Options) *bool { return &o.AbandonPending }),
			help: "shorten the key history even if some peers are not proven; they may lose trust in this site"},
		{name: "random-delay", arg: "DURATION", of: renew, preset: "0s", example: "30m",
			set:  span(0, func(o *Options) *time.Duration { return &o.RandomDelay }),
			help: "wait a random time, up to DURATION, before starting (not on a terminal or in a dry run)"},
		{name: "days", arg: "N", of: making, example: "28",
			set:  number(1, 3650, "", func(o *Options) *int { return &o.Days }),
			help: "make the new certificate valid for N days (default: the site's setting, usually 28)"},
		{name: "key-bits", arg: "N", of: making, preset: "2048", words: []string{"2048", "3072", "4096"},
			set:  word(func(o *Options, bits string) { o.KeyBits, _ = strconv.Atoi(bits) }),
			help: "make the new RSA key 2048, 3072 or 4096 bits long"},
		{name: "from", arg: "URL", of: []Name{Move}, required: true, example: "http://old.example.org", set: setFrom,
			help: "the wwwroot that the site had before it moved"},
		{name: "yes", short: "y", of: []Name{Rollback, Move}, set: on(func(o *Options) *bool { return &o.Yes }),
			help: "do not ask for confirmation (required without a terminal)"},
		{name: "lock-wait", arg: "DURATION", of: changing, preset: "30s",
			set:  span(0, func(o *Options) *time.Duration { return &o.LockWait }),
			help: "wait this long for another run on the same tenant"},
	}},
	{"Status and monitoring", []*option{
		{name: "live", of: []Name{Status}, set: on(func(o *Options) *bool { return &o.Live }),
			help: "also prove the links with sealed calls, as verify does"},
		{name: "verbose", of: []Name{Doctor}, set: on(func(o *Options) *bool { return &o.Verbose }),
			help: "also show notes, and who uses each link"},
		{name: "warning", arg: "DURATION", of: []Name{Check}, preset: "7d",
			set:  span(0, func(o *Options) *time.Duration { return &o.Warning }),
			help: "report WARNING if the key expires within DURATION"},
		{name: "critical", arg: "DURATION", of: []Name{Check}, preset: "2d",
			set:       span(0, func(o *Options) *time.Duration { return &o.Critical }),
			help:      "report CRITICAL if the key expires within DURATION",
			conflicts: []conflict{{with: "warning", when: longer, problem: "must not be longer than", advice: "give both, for example --warning=3d --critical=1d"}}},
		{name: "prometheus-file", arg: "FILE", of: []Name{Renew, Push, Rollback, Move, Verify, Check}, example: "/var/lib/prometheus/node-exporter/mnet.prom",
			set:  text(func(o *Options) *string { return &o.PrometheusFile }),
			help: "write metrics for the textfile collector of node exporter to FILE"},
	}},
	{"Reaching peers", []*option{
		{name: "timeout", arg: "DURATION", preset: "15s",
			set:  span(1, func(o *Options) *time.Duration { return &o.Timeout }),
			help: "give up a call to a peer after DURATION; if it is not given, also after a tenth of --deadline"},
		{name: "deadline", arg: "DURATION", preset: "10m",
			set:  span(1, func(o *Options) *time.Duration { return &o.Deadline }),
			help: "end the run after DURATION; peers that are not reached by then stay pending"},
		{name: "concurrency", arg: "N", preset: "32",
			set:  number(1, 1000, "", func(o *Options) *int { return &o.Concurrency }),
			help: "call up to N peers at the same time, but at most 4 at one address"},
		{name: "retries", arg: "N", preset: "2",
			set:  number(0, 10, "", func(o *Options) *int { return &o.Retries }),
			help: "repeat a failed call up to N times, if a retry can help"},
		{name: "self-check", arg: "MODE", preset: "auto", words: []string{"require", "auto", "off"},
			set:  word(func(o *Options, mode string) { o.SelfCheck = rotate.SelfCheckMode(mode) }),
			help: "auto: stop if the local site cannot be reached (require is the same); off: do not check it, and prove no link (exit code 3; of check: 1, WARNING)",
			conflicts: []conflict{{with: "node", when: func(mode, _ string) bool { return mode == "off" }, problem: "cannot be off with",
				advice: "--node says where to check the local site, --self-check=off does not check it"}}},
		{name: "node", arg: "HOST[:PORT]", repeats: true, example: "127.0.0.1", set: addNodes,
			help: "reach the local site at this web server, not at the addresses of its name"},
		{name: "ignore-peer", arg: "GLOB", repeats: true, example: "https://closed.example.org",
			set:  addGlob(func(o *Options) *rotate.Globs { return &o.IgnorePeers }),
			help: "try peers that match, but do not count them if they are not proven"},
		{name: "tls-skip-verify", set: on(func(o *Options) *bool { return &o.TLSSkipVerify }),
			help:      "do not verify any TLS certificate, whatever the peer's settings say",
			conflicts: []conflict{{with: "ca-file", advice: "leave out --tls-skip-verify to verify against --ca-file"}}},
		{name: "ca-file", arg: "FILE", example: "/etc/ssl/certs/ca-certificates.crt",
			set:  text(func(o *Options) *string { return &o.CAFile }),
			help: "also trust the certificate authorities in this PEM file"},
	}},
	{"Output", []*option{
		{name: "debug", short: "d", set: on(func(o *Options) *bool { return &o.Debug }),
			help: "log every step on stderr"},
		{name: "log-format", arg: "FORMAT", preset: "console", words: []string{"console", "json"},
			set:  word(func(o *Options, format string) { o.LogFormat = format }),
			help: "write the log as console text or as json"},
		{name: "redact", set: on(func(o *Options) *bool { return &o.Redact }),
			help: "print pseudonyms for host names and addresses, so that others may read it; the page of --report and the metrics keep the names"},
	}},
	{"Hooks (doctor runs none, but finds those that cannot be run)", []*option{
		{name: "pre-hook", arg: command, of: hooked, example: "/usr/bin/true",
			set:  text(func(o *Options) *string { return &o.PreHook }),
			help: "run COMMAND first; if it fails, change nothing"},
		{name: "cache-hook", arg: command, of: hooked, example: "systemctl reload php8.2-fpm",
			set:  text(func(o *Options) *string { return &o.CacheHook }),
			help: "run COMMAND to purge Moodle's configuration cache, instead of the built-in way"},
		{name: "post-hook", arg: command, of: hooked, example: "/usr/bin/true",
			set:  text(func(o *Options) *string { return &o.PostHook }),
			help: "run COMMAND at the end, with the JSON document on stdin"},
	}},
}

// command is the argument that is run by a shell.
const command = "COMMAND"

// The commands of options that only some commands take.
var (
	renew    = []Name{Renew}
	making   = namesOf(func(c Command) bool { return c.MakesKey })
	renewing = []Name{Renew, Rollback}
	changing = namesOf(func(c Command) bool { return c.Changes })
	hooked   = namesOf(func(c Command) bool { return c.Changes || c.Prints == PrintsFindings }) // which checks them
	together = namesOf(func(c Command) bool { return !c.Single })                               // on an array
	telling  = namesOf(func(c Command) bool { return c.Changes && !c.Single })
)
