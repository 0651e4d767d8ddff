package cmdline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
)

// optionFile writes an option file.
func optionFile(t testing.TB, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "renew_mnetkeys.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// optionsOf reads the command line as the command does, up to the point where it would start to
// work.
func optionsOf(t testing.TB, args ...string) (o Options, err error) {
	t.Helper()
	cmd, args := CommandOf(append([]string{"renew_mnetkeys"}, args...))
	err = NewApp(cmd, io.Discard, io.Discard, func(read Options) { o = read }).RunContext(t.Context(), args)
	return o, err
}

func TestAFileOfOptionsStandsForTheCommandLine(t *testing.T) {
	ca := optionFile(t)
	for name, c := range map[string]struct {
		lines []string
		same  []string // the same result as with these arguments
		args  []string // with and without the file
		env   []string // name and value, with the file alone
	}{
		"nothing":                     {lines: []string{"", "# nothing", "   # at all", ""}},
		"a name and a value":          {lines: []string{"host=https://a.example", " days = 90 ", "\ttimeout =7s\r"}, same: []string{"--host=https://a.example", "--days=90", "--timeout=7s"}},
		"dashes do not matter":        {lines: []string{"--days=90", "-debug"}, same: []string{"--days=90", "--debug"}},
		"switches":                    {lines: []string{"dry-run", "json = true", "debug = false"}, same: []string{"--dry-run", "--json"}},
		"a value with what ends none": {lines: []string{"post-hook = sh -c 'a=b; echo \"$a\" # no comment'"}, same: []string{"--post-hook=sh -c 'a=b; echo \"$a\" # no comment'"}},
		"what may be there again": {lines: []string{"all", "match = *.a.example", "match = *.b.example,c", "cfg = dataroot=/x", "cfg = dirroot=/y"},
			same: []string{"--all", "--match=*.a.example", "--match=*.b.example,c", "--cfg=dataroot=/x", "--cfg=dirroot=/y"}},
		"no line end at the end":         {lines: []string{"renew-before = 9d", "if-due"}, same: []string{"--if-due", "--renew-before=9d"}},
		"the command line wins":          {lines: []string{"days = 90", "timeout = 9s"}, args: []string{"--days=7"}, same: []string{"--timeout=9s"}},
		"by its letter too":              {lines: []string{"host = https://b.example", "quiet"}, args: []string{"-H", "https://a.example"}, same: []string{"--quiet"}},
		"with a switch turned off":       {lines: []string{"debug"}, args: []string{"--debug=false"}},
		"and not only for the first":     {lines: []string{"match = *.b.example", "all"}, args: []string{"--match=*.a.example", "--match=*.c.example", "--all"}},
		"the environment wins":           {lines: []string{"days = 90", "cfg = dirroot=/y"}, env: []string{"MNETKEYS_DAYS", "7", "MNETKEYS_CFG", "dataroot=/x"}, same: []string{"--days=7", "--cfg=dataroot=/x"}},
		"options of other commands":      {lines: []string{"if-due", "live", "warning = 5d", "newkey", "yes", "ca-file = " + ca}, args: []string{"verify"}, same: []string{"--ca-file=" + ca}},
		"those of another":               {lines: []string{"if-due", "live", "warning = 5d", "prometheus-file = /x.prom"}, args: []string{"check"}, same: []string{"--warning=5d", "--prometheus-file=/x.prom"}},
		"switches as people write them":  {lines: []string{"\ufeffdry-run = yes", "json = On", "debug = no", "quiet = off"}, same: []string{"--dry-run", "--json"}},
		"one tenant, for all":            {lines: []string{"all", "withmaster", "match = *", "days = 9"}, args: []string{"--host=https://a.example"}, same: []string{"--days=9"}},
		"one tenant, by the environment": {lines: []string{"all", "fullstop"}, env: []string{"MNETKEYS_HOST", "https://a.example"}, same: []string{"--host=https://a.example"}},
		"a host to bind, for all":        {lines: []string{"all", "fresh = 2h"}, args: []string{"--bindhost=subs"}},
		"all, for one tenant":            {lines: []string{"host = https://a.example", "fresh = 2h"}, args: []string{"--all"}, same: []string{"--fresh=2h"}},
		"all turned off":                 {lines: []string{"all", "fresh = 2h", "host = https://a.example"}, args: []string{"--all=false"}, same: []string{"--host=https://a.example"}},
		"all turned off in the file":     {lines: []string{"all = 0", "fresh = 2h", "host = https://a.example"}, same: []string{"--host=https://a.example"}},
		"a site to set up, when due":     {lines: []string{"if-due", "renew-before = 9d", "days = 90"}, args: []string{"--newkey"}, same: []string{"--days=90"}},
		"no site to set up":              {lines: []string{"if-due", "renew-before = 9d"}, args: []string{"--newkey=false"}, same: []string{"--if-due", "--renew-before=9d"}},
		"so long before, if ever":        {lines: []string{"renew-before = 9d"}},
		"so long before, when due":       {lines: []string{"renew-before = 9d"}, args: []string{"--if-due"}, same: []string{"--renew-before=9d"}},
		"silence, to be debugged":        {lines: []string{"quiet"}, args: []string{"-d"}},
		"all, to be started":             {lines: []string{"all", "newkey"}, same: []string{"--all", "--newkey"}},
		"a warning that is too late":     {lines: []string{"warning = 1d"}, args: []string{"check", "--critical=2d"}},
		"a critical that is too early":   {lines: []string{"critical = 10d"}, args: []string{"check", "--warning=5d"}},
		"one that is not":                {lines: []string{"critical = 3d"}, args: []string{"check", "--warning=5d"}, same: []string{"--critical=3d"}},
		"a check off, with a node":       {lines: []string{"self-check = off"}, args: []string{"--node=web1"}},
		"a check on, with a node":        {lines: []string{"self-check = require"}, args: []string{"--node=web1"}, same: []string{"--self-check=require"}},
		"one failure, and a full stop":   {lines: []string{"max-failures = 1"}, args: []string{"--all", "--fullstop"}, same: []string{"--max-failures=1"}},
		"more than one":                  {lines: []string{"max-failures = 3"}, args: []string{"--all", "--fullstop"}},
		"an array's, without all":        {lines: []string{"canary = 3", "prove = calls"}},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := optionsOf(t, slices.Concat(c.args, c.same)...)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(c.env); i += 2 {
				t.Setenv(c.env[i], c.env[i+1])
			}
			for _, way := range []string{"by the option", "by its variable"} {
				file, args := optionFile(t, c.lines...), c.args
				if way == "by the option" {
					args = append(slices.Clone(args), "--options="+file)
				} else {
					t.Setenv("MNETKEYS_OPTIONS", file)
				}
				got, err := optionsOf(t, args...)
				want.Environment, want.Elsewhere, got.Environment, got.Elsewhere = nil, nil, nil, nil // which say where options come from
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", way, err, diff)
				}
			}
		})
	}
}

func TestNoFileOfOptionsIsFineUnlessOneIsNamed(t *testing.T) {
	if _, err := os.Stat(defaultOptionFile); err == nil {
		t.Logf("this machine has a %s", defaultOptionFile)
	} else if o, err := optionsOf(t); err != nil || o.Timeout != 15*time.Second {
		t.Errorf("%+v, error %v", o, err)
	}
	missing := filepath.Join(t.TempDir(), "renew_mnetkeys.conf")
	if _, err := optionsOf(t, "--options="+missing); err == nil || !strings.Contains(err.Error(), missing+": no such file") ||
		adviceOf(err) != "check the path; renew_mnetkeys generate conf prints a sample" {
		t.Errorf("--options: error %v, hint %q", err, adviceOf(err))
	}
	t.Setenv("MNETKEYS_OPTIONS", missing)
	if _, err := optionsOf(t); err == nil || !strings.Contains(err.Error(), missing+": no such file") {
		t.Errorf("MNETKEYS_OPTIONS: error %v", err)
	}
}

func TestAMistakeInAFileOfOptionsSaysWhereItIs(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		at    string // text after the file's name
		says  string
	}{
		"a name that is none":                 {[]string{"# a comment", "", "day = 7"}, ":3: ", `unknown option "day"`},
		"a letter":                            {[]string{"H = https://a.example"}, ":1: ", `unknown option "H"`},
		"a file in a file":                    {[]string{"quiet", "options = /x"}, ":2: ", `unknown option "options"`},
		"help":                                {[]string{"help"}, ":1: ", `unknown option "help"`},
		"a section, as other programs have":   {[]string{"[renew]"}, ":1: ", `unknown option "[renew]"`},
		"quotes, as in a shell":               {[]string{`config = "/srv/moodle/config.php"`}, ":1: ", "config must be written without quotes"},
		"no value":                            {[]string{"quiet", "host"}, ":2: ", "host must have a value"},
		"an empty value":                      {[]string{"quiet", "", "host = "}, ":3: ", "host must have a value"},
		"a switch that is neither on nor off": {[]string{"quiet = maybe"}, ":1: ", "quiet must be yes, no, on, off, true, false, 1 or 0"},
		"an empty value of a switch":          {[]string{"debug ="}, ":1: ", "debug must be yes, no, on, off"},
		"a value and no name":                 {[]string{"= 7"}, ":1: ", `unknown option ""`},
		"a number that is none":               {[]string{"days = many"}, ":1: ", "days must be a whole number from 1 to 3650"},
		"a duration that is none":             {[]string{"timeout = 7"}, ":1: ", "timeout must be a duration such as "},
		"a value for another command":         {[]string{"quiet", "warning = 7"}, ":2: ", "warning must be a duration such as "},
		"a value for an array":                {[]string{"shard = 4/4"}, ":1: ", "shard must be I/N"},
		"a value that is not used today":      {[]string{"if-due = no", "renew-before = soon"}, ":2: ", "renew-before must be auto or "},
		"what contradicts itself":             {[]string{"all", "host = https://a.example"}, ":1: ", "all cannot be used with host (line 2)"},
		"a switch that is neither":            {[]string{"debug = perhaps"}, ":1: ", "debug must be "},
		"a comment behind a value":            {[]string{"quiet", "report = /srv/mnet.html # the page"}, ":2: ", "report must be written without a comment behind it"},
		"a comment behind a switch":           {[]string{"quiet # no mail"}, ":1: ", "quiet must be written without a comment behind it"},
		"a comment behind a switch's value":   {[]string{"quiet = yes\t# no mail"}, ":1: ", "quiet must be written without a comment behind it"},
	} {
		t.Run(name, func(t *testing.T) {
			file := optionFile(t, c.lines...)
			_, err := optionsOf(t, "--options="+file)
			if err == nil || c.at != "" && !strings.Contains(err.Error(), file+c.at) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAFileOfOptionsThatCannotBeReadSaysWhatToDo(t *testing.T) {
	for err, want := range map[error]string{
		&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}:   "run the command as a user who can read the file, or let this user read it",
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.EIO}:        "check the file and its file system",
		&NotRegularError{Name: "/x", Mode: fs.ModeDir}:                 "name a file, not a directory, a pipe or a device",
		fmt.Errorf("reading: %w", &UsageError{"too open", "chmod it"}): "chmod it",
	} {
		if got := unreadable(err, "--options"); adviceOf(got) != want {
			t.Errorf("%v: hint %q", err, adviceOf(got))
		}
	}
}

// adviceOf is the hint of an error, "" if it has none.
func adviceOf(err error) string {
	var usage *UsageError
	if errors.As(err, &usage) {
		return usage.Advice
	}
	return ""
}

func TestAFileOfOptionsThatAnybodyMayWriteIsRefused(t *testing.T) {
	file := optionFile(t, "pre-hook = /tmp/mine")
	for mode, refused := range map[os.FileMode]bool{0o666: true, 0o602: true, 0o644: false, 0o600: false} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := optionsOf(t, "--options="+file)
		if (err != nil) != refused || refused && adviceOf(err) != "run: chmod o-w "+file {
			t.Errorf("%v: error %v", mode, err)
		}
	}
	if _, err := optionsOf(t, "--options="+t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

func TestRootTakesNoOptionsFromAFileOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		testbed.Missing(t, "only root can give a file away")
	}
	file := optionFile(t, "quiet")
	for _, c := range []struct {
		owner, group int
		mode         os.FileMode
		says         string // "": it is read
	}{
		{0, 0, 0o644, ""},
		{65534, 0, 0o644, "run: chown root "},
		{0, 65534, 0o640, ""},
		{0, 65534, 0o660, "run: chmod g-w "},
	} {
		if err := errors.Join(os.Chown(file, c.owner, c.group), os.Chmod(file, c.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := optionsOf(t, "--options="+file)
		if (err != nil) != (c.says != "") || err != nil && adviceOf(err) != c.says+file {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}
