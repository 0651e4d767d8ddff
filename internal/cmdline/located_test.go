package cmdline

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

func TestAnErrorSaysWhereItsOptionComesFrom(t *testing.T) {
	t.Setenv("MNETKEYS_CA_FILE", "/nonexistent")
	file := optionFile(t, "cache-hook = /overridden", "cache-hook = /nonexistent", "host = https://a.example", "ignore-peer = a", "ignore-peer = b")
	o, err := optionsOf(t, "push", "--options="+file, "--node=10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("--cache-hook: /nonexistent was not found")
	for _, c := range []struct {
		err  error
		want string
	}{
		{cause, cause.Error() + " (--cache-hook is in " + file + ":2)"},
		{fmt.Errorf("push: %w", cause), "push: " + cause.Error() + " (--cache-hook is in " + file + ":2)"},
		{errors.New("--ca-file: no such file"), "--ca-file: no such file (--ca-file is set by MNETKEYS_CA_FILE)"},
		{errors.New("--ca-file and --cache-hook, --ca-file"), "--ca-file and --cache-hook, --ca-file (--ca-file is set by MNETKEYS_CA_FILE, --cache-hook is in " + file + ":2)"},
		{errors.New("--node: it does not answer"), "--node: it does not answer"},
		{errors.New("--hosts is no option, nor is --all-hosts"), "--hosts is no option, nor is --all-hosts"},
		{errors.New("--ignore-peer=a matches no peer"), "--ignore-peer=a matches no peer (--ignore-peer is in " + file + ":4 and " + file + ":5)"},
		{errors.New("/x: no such file (--ca-file)"), "/x: no such file (--ca-file is set by MNETKEYS_CA_FILE)"},
		{&UsageError{Problem: "two sites are named", Advice: "leave out --host"}, "two sites are named (--host is in " + file + ":3)"},
	} {
		if got := o.Located(c.err); got.Error() != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	if o.Located(nil) != nil || !filepath.IsAbs(file) {
		t.Error("no error has become one")
	}
}
