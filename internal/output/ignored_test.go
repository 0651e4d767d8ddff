package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/rotate"
)

// printerOf is a printer that writes to these two, as to files.
func printerOf(o cmdline.Options, stdout, stderr *strings.Builder) *Printer {
	if o.LogFormat == "" {
		o.LogFormat = "console"
	}
	return New(o, &Results{W: stdout}, stderr, func(string) string { return "" })
}

func TestAPeerThatIsIgnoredIsSaidAndNotCounted(t *testing.T) {
	good := rotate.PeerReport{Wwwroot: "https://good.example", Outcome: rotate.Accepted}
	gone := rotate.PeerReport{Wwwroot: "https://gone.example", Outcome: rotate.Ignored, Reason: "dns", Detail: "no such host"}
	r := reported(rotate.Renewed, rotate.SelfProven, gone, good)
	text := renderText(r, true, cmdline.Options{Command: "renew"}, plain)
	for _, says := range []string{"\n1 of 1 peer proven, 1 ignored\n", "  ignored   https://gone.example", "dns: no such host"} {
		if !strings.Contains(text, says) {
			t.Errorf("nothing says %q:\n%s", says, text)
		}
	}
	check := newCheckSummary(&Printer{Options: cmdline.Options{Warning: time.Hour}, Started: *r.Certificate.NotBefore})
	check.add(r)
	if line := check.String(); !strings.HasPrefix(line, "MNET OK - ") || !strings.Contains(line, "1 of 1 peer proven, 1 ignored |") {
		t.Error(line)
	}
	var stdout, stderr strings.Builder
	array := NewArray(printerOf(cmdline.Options{Command: "renew", All: true}, &stdout, &stderr))
	array.Begin(1, 2)
	array.Tenant(r)
	if code := array.Finish(rotate.ExitOK, nil); code != rotate.ExitOK || !strings.Contains(stdout.String(), "1 tenant: 1 renewed; 1 of 1 link proven, 1 ignored (") {
		t.Errorf("exit code %d:\n%s", code, stdout.String())
	}
}

// The peer may have been deleted, so it is no error.
func TestAGlobThatMatchesNoPeerIsWarnedOf(t *testing.T) {
	peer := rotate.PeerReport{Wwwroot: "https://good.example", Outcome: rotate.Accepted}
	const warning = "warning: --ignore-peer=https://deleted.* matches no peer\n"
	failed := reported(rotate.Failed, rotate.SelfFailed)
	failed.Err = errors.New("its database is down")
	for _, c := range []struct {
		name   string
		o      cmdline.Options
		r      rotate.TenantReport
		stderr string
	}{
		{"a renewal", cmdline.Options{}, reported(rotate.Renewed, rotate.SelfProven, peer), warning},
		{"a job that has nothing to say", cmdline.Options{Options: rotate.Options{Due: rotate.DuePolicy{OnlyIfDue: true}}}, reported(rotate.Kept, rotate.SelfProven, peer), ""},
		{"a quiet job", cmdline.Options{Quiet: true}, reported(rotate.Renewed, rotate.SelfProven, peer), ""},
		{"the peers are not known", cmdline.Options{}, failed, "error: its database is down\n"},
	} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, all %v", c.name, all), func(t *testing.T) {
				c.o.Command, c.o.All = "renew", all
				c.o.IgnorePeers = rotate.Globs{"https://good.*", "https://deleted.*"}
				var stdout, stderr strings.Builder
				out := printerOf(c.o, &stdout, &stderr)
				out.Arguments = []string{"--ignore-peer", "https://good.*", "--ignore-peer=https://deleted.*"}
				if !all {
					out.Print(c.r, c.r.Exit)
				} else {
					array := NewArray(out)
					array.Begin(1, 1)
					array.Tenant(c.r)
					array.Finish(c.r.Exit, nil)
					// The error is in the summary.
					c.stderr = strings.TrimPrefix(c.stderr, "error: its database is down\n")
				}
				if stderr.String() != c.stderr {
					t.Errorf("it says %q, want %q", stderr.String(), c.stderr)
				}
			})
		}
	}
}

// A file of options names the lost peers of all tenants, and some tenants have only some of them.
func TestAFileOfOptionsMayIgnorePeersOfOtherTenants(t *testing.T) {
	for name, c := range map[string]struct {
		o    cmdline.Options
		warn bool
	}{
		"one tenant":     {cmdline.Options{}, false},
		"all tenants":    {cmdline.Options{All: true}, true},
		"a shard":        {cmdline.Options{All: true, Array: cmdline.ArrayOptions{Selection: rotate.Selection{Shards: 2}}}, false},
		"those named":    {cmdline.Options{All: true, Array: cmdline.ArrayOptions{Selection: rotate.Selection{Match: rotate.Globs{"*"}}}}, false},
		"all but others": {cmdline.Options{All: true, Array: cmdline.ArrayOptions{Selection: rotate.Selection{Exclude: rotate.Globs{"x"}}}}, false},
	} {
		var stdout, stderr strings.Builder
		c.o.Command, c.o.IgnorePeers = "renew", rotate.Globs{"https://deleted.*"}
		out := printerOf(c.o, &stdout, &stderr)
		out.Print(reported(rotate.Renewed, rotate.SelfProven, rotate.PeerReport{Wwwroot: "https://good.example", Outcome: rotate.Accepted}), rotate.ExitOK)
		if warned := strings.Contains(stderr.String(), "matches no peer"); warned != c.warn {
			t.Errorf("%s: it says %q", name, stderr.String())
		}
	}
}

// Each tenant names its own path in an error that all have alike.
func TestTenantsWhoseErrorsDifferInAPathAreOneBlock(t *testing.T) {
	var stdout, stderr strings.Builder
	array := NewArray(printerOf(cmdline.Options{Command: "renew", All: true, Quiet: true}, &stdout, &stderr))
	array.Begin(5, 5)
	for i := range 5 {
		problem := fmt.Errorf("write /var/moodledata/t%d/muc/config.php: no space left on device", i)
		if i == 4 {
			problem = fmt.Errorf("write /var/moodledata/t4/muc/config.php: permission denied")
		}
		array.Tenant(rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%d.example", i), Outcome: rotate.Failed, Error: problem.Error(),
			Err: problem, Hint: fmt.Sprintf("make room on the disk of /var/moodledata/t%d", i), Exit: 1})
	}
	array.Finish(rotate.ExitNotRenewed, nil)
	want := `failed 4 tenants
  for example: https://t0.example: write /var/moodledata/t0/muc/config.php: no space left on device
  hint: for example for https://t0.example: make room on the disk of /var/moodledata/t0
  tenants: https://t0.example, https://t1.example, https://t2.example, https://t3.example

failed https://t4.example
  error: write /var/moodledata/t4/muc/config.php: permission denied
`
	if !strings.HasPrefix(stdout.String(), want) {
		t.Errorf("%s", stdout.String())
	}
}

// A wwwroot of another site is the fact itself, and not the tenant's own.
func TestWhatTenantsHaveAlike(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	for _, c := range []struct {
		a, b  string
		alike bool
	}{
		{"read /srv/a/muc/config.php: permission denied", "read /srv/b/muc/config.php: permission denied", true},
		{"read '/srv/a x': permission denied", "read '/srv/b x': permission denied", true},
		{"read /srv/a: permission denied", "read /srv/a: no space left", false},
		{"the site that answers at " + a + " is down", "the site that answers at " + b + " is down", true},
		{"the database belongs to https://c.example", "the database belongs to https://d.example", false},
		{a + "/mnet/publickey.php is not found", b + "/mnet/publickey.php is not found", true},
		{"http_302: redirects to " + a + "/Shibboleth.sso/Login", "http_302: redirects to " + b + "/Shibboleth.sso/Login", true},
		{a + "/login.php: not found", b + "/login.php: not found", true},
		{"it belongs to " + a + "/x.", "it belongs to " + b + "/x.", false},
		{"read " + a + ".", "read " + b + ".", true},
		{"it belongs to " + a + ".org", "it belongs to " + b + ".org", false},
		{"it belongs to " + a + ":8443", "it belongs to " + b + ":8443", false},
		{"it belongs to " + a + "/x", "it belongs to " + b + "/x", false},
		{"it belongs to " + a + "x, not to " + a, "it belongs to " + b + "x, not to " + b, false},
		{"it belongs to " + a + "x, not to " + a, "it belongs to " + a + "x, not to " + b, true},
		{"database moodle_a at 10.0.0.1:3306 as a: connection refused", "database moodle_b at 10.0.0.1:3306 as b: connection refused", true},
		{"database moodle_a at 10.0.0.1:3306 as a: connection refused", "database moodle_b at 10.0.0.2:3306 as b: connection refused", false},
		{"database moodle_a at socket /run/a.sock as a: no such socket", "database moodle_a at socket /run/a.sock as a: access denied", false},
	} {
		if got := alike(c.a, a) == alike(c.b, b); got != c.alike {
			t.Errorf("%q and %q: alike %v", alike(c.a, a), alike(c.b, b), got)
		}
	}
}

// One Ctrl-C stops three hundred tenants, for one reason.
func TestTenantsThatFailAlikeAreOneBlock(t *testing.T) {
	var stdout, stderr strings.Builder
	array := NewArray(printerOf(cmdline.Options{Command: "renew", All: true, Quiet: true}, &stdout, &stderr))
	array.Begin(303, 303)
	for i := range 303 {
		r := rotate.TenantReport{Wwwroot: fmt.Sprintf("https://t%03d.example", i), Outcome: rotate.Failed, Error: "stopped", Exit: 1}
		if i < 3 {
			r.Error = "its database is down"
		}
		r.Err = errors.New(r.Error)
		array.Tenant(r)
	}
	array.Finish(rotate.ExitNotRenewed, nil)
	want := `failed https://t000.example
  error: its database is down

failed https://t001.example
  error: its database is down

failed https://t002.example
  error: its database is down

failed 300 tenants
  error: stopped
  tenants: https://t003.example, https://t004.example, https://t005.example, https://t006.example, https://t007.example and 295 more

303 tenants: 303 failed (`
	if !strings.HasPrefix(stdout.String(), want) {
		t.Errorf("%s", stdout.String())
	}
}

func TestADryRunOfAnArrayCountsWhoCanBeReached(t *testing.T) {
	peer := func(outcome rotate.PeerOutcome) rotate.PeerReport {
		return rotate.PeerReport{Wwwroot: "https://" + string(outcome) + ".example", Outcome: outcome}
	}
	var stdout, stderr strings.Builder
	array := NewArray(printerOf(cmdline.Options{Command: "renew", All: true, DryRun: true}, &stdout, &stderr))
	array.Begin(1, 4)
	array.Tenant(reported(rotate.Kept, rotate.SelfProven, peer(rotate.Skipped), peer(rotate.Pending), peer(rotate.Ignored)))
	array.Finish(rotate.ExitPeers, nil)
	for _, says := range []string{"pending 1 link:", "\n1 tenant: 1 can be renewed; dry run: nothing was changed; 1 of 2 links can be reached, 1 ignored ("} {
		if !strings.Contains(stdout.String(), says) {
			t.Errorf("nothing says %q:\n%s", says, stdout.String())
		}
	}
}

// The wwwroots of the tenants of one array may begin alike.
func TestALongerWwwrootIsNotTakenForTheTenant(t *testing.T) {
	const a, longer = "https://a.example/x", "https://a.example/xy"
	if got := cureOf("write to "+longer+", then run: renew_mnetkeys --host="+a, a, "https://p.example"); got != "write to "+longer+", then run: renew_mnetkeys --host=WWWROOT" {
		t.Error(got)
	}
	if got := (problem{tenant: a}).of(longer + " is down"); got != a+": "+longer+" is down" {
		t.Error(got)
	}
	if got := (problem{tenant: a}).of(a + " is down"); got != a+" is down" {
		t.Error(got)
	}
}
