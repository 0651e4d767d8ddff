package cmdline

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"renew_mnetkeys/rotate"
)

// keySizes are what --key-bits takes. A build for the tests of kills has one more.
var keySizes = []int{2048, 3072, 4096}

// Options are the command line and its environment, read once.
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

	Live, Yes         bool
	Warning, Critical time.Duration

	PreHook, CacheHook, PostHook string
	Report, PrometheusFile       string

	All   bool
	Array ArrayOptions
}

// UsageError is a command line that cannot be meant.
type UsageError struct{ Problem, Advice string }

func (e *UsageError) Error() string { return e.Problem }

// Hint is what to do about it.
func (e *UsageError) Hint() string { return e.Advice }

// wait gives the value of a duration option, 0 where the command has none.
func wait(c *cli.Context, name string) time.Duration {
	d, ok := c.Generic(name).(*durationValue)
	if !ok {
		return 0
	}
	return time.Duration(*d)
}

// readOptions reads the options of a command: from the command line, its
// environment, and the file of options.
func readOptions(cmd Command, c *cli.Context) (Options, error) {
	if err := readOptionFile(cmd, c); err != nil {
		return Options{}, err
	}
	o := Options{
		Command: cmd.Name,
		Options: rotate.Options{NewKey: c.Bool("newkey"), LockWait: wait(c, "lock-wait"), Days: c.Int("days"), KeyBits: c.Int("key-bits"),
			SelfCheck: rotate.SelfCheckMode(c.String("self-check")), AbandonPending: c.Bool("abandon-pending")},
		Host: c.String("host"), BindHost: c.StringSlice("bindhost"), Debug: c.Bool("debug"),
		Config: c.String("config"), PHP: c.String("php"), DryRun: c.Bool("dry-run"), JSON: c.Bool("json"), Quiet: c.Bool("quiet"),
		LogFormat: c.String("log-format"), Timeout: wait(c, "timeout"), Deadline: wait(c, "deadline"),
		Concurrency: c.Int("concurrency"), Retries: c.Int("retries"),
		TLSSkipVerify: c.Bool("tls-skip-verify"), CAFile: c.String("ca-file"), RandomDelay: wait(c, "random-delay"),
		Live: c.Bool("live"), Yes: c.Bool("yes"), Warning: wait(c, "warning"), Critical: wait(c, "critical"),
		PreHook: c.String("pre-hook"), CacheHook: c.String("cache-hook"), PostHook: c.String("post-hook"),
		Report: c.String("report"), PrometheusFile: c.String("prometheus-file"),
	}
	o.Due.OnlyIfDue = c.Bool("if-due")
	if b, ok := c.Generic("renew-before").(*renewBefore); ok {
		o.Due.Before = time.Duration(*b)
	}
	for _, name := range []string{"host", "config", "ca-file", "options", "report", "prometheus-file", "pre-hook", "cache-hook", "post-hook"} {
		if c.IsSet(name) && c.String(name) == "" {
			return o, &UsageError{Problem: "--" + name + " is empty", Advice: "leave the option out, or check the variable it is filled from"}
		}
	}
	if c.IsSet("days") && o.Days == 0 {
		return o, &UsageError{Problem: "--days must be 1 to 3650"}
	}
	if err := checkNeeds(cmd, c); err != nil {
		return o, err
	}
	var err error
	if o.All, o.Array, err = readArrayOptions(cmd, c); err != nil {
		return o, err
	}
	if o.Nodes, err = readNodes(c.StringSlice("node")); err != nil {
		return o, err
	}
	if o.Cfg, err = readCfg(c.StringSlice("cfg")); err != nil {
		return o, err
	}
	if o, err = o.checked(); err != nil {
		return o, err
	}
	return o, checkConflicts(c)
}

// checked validates each option.
func (o Options) checked() (Options, error) {
	var err error
	if o.Host != "" {
		if o.Host, err = wwwroot("host", o.Host); err != nil {
			return o, err
		}
	}
	for i, b := range o.BindHost {
		if b == "subs" {
			continue
		}
		if o.BindHost[i], err = wwwroot("bindhost", b); err != nil {
			return o, err
		}
	}
	for _, bad := range []struct {
		is      bool
		problem string
	}{
		{!slices.Contains([]string{"console", "json"}, o.LogFormat), "--log-format must be console or json"},
		{!slices.Contains([]rotate.SelfCheckMode{rotate.SelfCheckRequire, rotate.SelfCheckAuto, rotate.SelfCheckOff}, o.SelfCheck), "--self-check must be require, auto or off"},
		{o.Timeout <= 0, "--timeout must be longer than nothing"},
		{o.Deadline <= 0, "--deadline must be longer than nothing"},
		{o.Concurrency < 1 || o.Concurrency > 1000, "--concurrency must be 1 to 1000"},
		{o.Retries < 0 || o.Retries > 10, "--retries must be 0 to 10"},
		{o.Days < 0 || o.Days > 3650, "--days must be 1 to 3650"},
		{o.Command == Renew && !slices.Contains(keySizes, o.KeyBits), "--key-bits must be 2048, 3072 or 4096"},
	} {
		if bad.is {
			return o, &UsageError{Problem: bad.problem}
		}
	}
	return o, nil
}

// wwwroot checks the URL of an option and gives it without trailing slash, as
// Moodle stores it.
func wwwroot(option, s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", &UsageError{Problem: fmt.Sprintf("--%s=%s is no wwwroot", option, redactedURL(s)), Advice: "write it as the site does, like https://tenant.example.org/moodle"}
	}
	// Host names know no case, and Moodle writes them small.
	return strings.TrimRight(strings.Replace(s, u.Host, strings.ToLower(u.Host), 1), "/"), nil
}

// redactedURL hides what might be a password in a mistyped URL.
func redactedURL(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return "…" + s[at:]
	}
	return s
}

// testVariables belong to the tests, not to the command.
const testVariables = "MNETKEYS_TEST_"

// CheckEnvironment refuses variables that look like options and are none: a
// mistyped MNETKEYS_DRY_RUN must not renew for real.
func CheckEnvironment(environ []string) error {
	known := knownVariables()
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "MNETKEYS_") && !strings.HasPrefix(name, testVariables) && !known[name] {
			return &UsageError{Problem: "the environment variable " + name + " is no option", Advice: "see renew_mnetkeys --help; --dry-run is MNETKEYS_DRY_RUN"}
		}
	}
	return nil
}
