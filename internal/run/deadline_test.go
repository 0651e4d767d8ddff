package run

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
)

// silent is the port of a server that accepts connections and says nothing.
func silent(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// The limit of a connection is 10 s. A deadline that comes sooner does not hide which database has
// not answered.
func TestAnErrorOfTheDeadlineNamesTheDatabaseThatDoesNotAnswer(t *testing.T) {
	port := silent(t)
	for name, c := range map[string]struct {
		args   []string
		config string
		says   string
	}{
		"the register, for one tenant": {[]string{"--host=http://tenant.example"}, arrayConfig, "open the register of tenants: connect: database moodle at 127.0.0.1:%d as moodle: no answer in time"},
		"the register, for an array":   {[]string{"--all"}, arrayConfig, "open the register of tenants: connect: database moodle at 127.0.0.1:%d as moodle: no answer in time"},
		"a check":                      {[]string{"check", "--all"}, arrayConfig, "database moodle at 127.0.0.1:%d as moodle: no answer in time"},
		"a site":                       {nil, strings.ReplaceAll(arrayConfig, "vmaster", "other"), "open the tenant's database: the run's --deadline has passed: connect: database moodle at 127.0.0.1:%d as moodle: no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.php")
			text := strings.ReplaceAll(c.config, "'dbport' => 1", fmt.Sprintf("'dbport' => %d", port))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr strings.Builder
			cmd, args := cmdline.CommandOf(cmdline.Arguments(append(append([]string{"renew_mnetkeys"}, c.args...), "--deadline=1s", "--config="+file)))
			code := obey(context.Background(), cmd, args, func(string) string { return "" }, &output.Results{W: &stdout}, &stderr)
			says := stdout.String() + stderr.String()
			if want := fmt.Sprintf(c.says, port); code == 0 || !strings.Contains(says, want) || !strings.Contains(says, "the run's --deadline has passed") {
				t.Errorf("exit code %d: %s", code, says)
			}
		})
	}
}
