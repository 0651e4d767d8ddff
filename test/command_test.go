package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elliotchance/phpserialize"

	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// ran is the result of a run of the command.
type ran struct {
	code           int
	stdout, stderr string
}

// commandLimit ends a command that hangs; every wait in it has a shorter limit.
const commandLimit = 2 * time.Minute

// command is the command, ready to be started.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GORACE="+noSleep)
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(commandLimit, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	return cmd
}

func run1(t testing.TB, cmd *exec.Cmd) ran {
	t.Helper()
	return begin(t, cmd)()
}

// begin starts a command; end waits for it. Between them it may get signals.
func begin(t testing.TB, cmd *exec.Cmd) (end func() ran) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() ran {
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Errorf("the command did not end by itself: %v", err)
		}
		return ran{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
}

// renewIt runs the command for a site and checks that no secret is shown.
func renewIt(t testing.TB, s *testbed.Site, args ...string) ran {
	t.Helper()
	before := secrets(t, s)
	r := run1(t, command(t, append([]string{"--config=" + s.ConfigFile}, args...)...))
	r.revealsNothing(t, before, secrets(t, s))
	return r
}

// document is what --json prints.
type document struct{ output.Document }

// document reads the output of --json.
func (r ran) document(t testing.TB) document {
	t.Helper()
	var d document
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("not one JSON document: %v\n%s\n%s", err, r.stdout, r.stderr)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("something stands behind the JSON document:\n%s", r.stdout)
	}
	ofSchema(t, r.stdout)
	if d.ExitCode != r.code {
		t.Errorf("the document says exit code %d, the process %d", d.ExitCode, r.code)
	}
	return d
}

func (r ran) expect(t testing.TB, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("nothing says %q", text)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

// allCommands are the commands, as --help names them; renew is the one without a word. generate is
// left out, because it works on no site, and so is move, which works only on a site that has moved,
// and on no array.
func allCommands(t testing.TB) (all []string) {
	t.Helper()
	help := run1(t, command(t, "--help")).stdout
	_, list, _ := strings.Cut(help, "\nCommands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		word := strings.Replace(strings.Fields(line)[0], "(none)", "renew", 1)
		if !slices.Contains([]string{"generate", "help", "version", "move"}, word) {
			all = append(all, word)
		}
	}
	if len(all) < 7 || all[0] != "renew" {
		t.Fatalf("commands %q in\n%s", all, help)
	}
	return all
}

// changes says whether a command changes a site. Those that do not can run at the same time on the
// sites of one test.
func changes(word string) bool { return slices.Contains([]string{"renew", "push", "rollback"}, word) }

// peer is the report's line about a host.
func (d document) peer(t testing.TB, wwwroot string) rotate.PeerReport {
	t.Helper()
	for _, p := range d.Tenants[0].Peers {
		if p.Wwwroot == wwwroot {
			return p
		}
	}
	t.Fatalf("no report on %s: %+v", wwwroot, d.Tenants[0].Peers)
	return rotate.PeerReport{}
}

// secrets are what no output may show: the password, and lines of the private keys.
func secrets(t testing.TB, s *testbed.Site) []string {
	t.Helper()
	found := []string{s.DB.Password}
	if s.Redis != nil && s.Redis.Password != "" {
		found = append(found, s.Redis.Password)
	}
	if _, key, ok := strings.Cut(pairOf(t, s), "@@@@@@@@"); ok {
		found = append(found, strings.Split(key, "\n")[1:8]...)
	}
	return found
}

func (r ran) revealsNothing(t testing.TB, secrets ...[]string) {
	t.Helper()
	for _, list := range secrets {
		for _, secret := range list {
			if len(secret) >= 8 && strings.Contains(r.stdout+r.stderr, secret) {
				t.Error("the output shows the password or a piece of a private key")
			}
		}
	}
	if strings.Contains(r.stdout+r.stderr, "PRIVATE KEY") {
		t.Error("the output shows a private key")
	}
}

// This is what the database and the web server of a site say.

func pairOf(t testing.TB, s *testbed.Site) string {
	t.Helper()
	return s.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl'")
}

func historyOf(t testing.TB, s *testbed.Site) []string {
	t.Helper()
	raw := s.DB.Value(t, "SELECT value FROM {config_plugins} WHERE plugin = 'mnet' AND name = 'openssl_history'")
	if raw == "" {
		return nil
	}
	value, err := phpserialize.UnmarshalIndexedArray([]byte(raw))
	if err != nil {
		t.Fatalf("history: %v", err)
	}
	var pairs []string
	for _, entry := range value {
		fields := entry.(map[any]any)
		pairs = append(pairs, fields["certificate"].(string)+"@@@@@@@@"+fields["keypair_PEM"].(string))
	}
	return pairs
}

func fetch(t testing.TB, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "&#10;", "\n")
}

// coherent checks that a site uses the key that it stores: pair, host row, publickey.php and the
// answer to a keyswap have one certificate.
func coherent(t testing.TB, s *testbed.Site) (certificate string) {
	t.Helper()
	certificate, _, _ = strings.Cut(pairOf(t, s), "@@@@@@@@")
	if s.Certificate(t) != certificate {
		t.Error("the own host row holds another certificate than the pair")
	}
	if shown := fetch(t, "GET", s.Wwwroot+"/mnet/publickey.php", ""); strings.TrimSpace(shown) != strings.TrimSpace(certificate) {
		t.Error("publickey.php shows another certificate than the pair")
	}
	keyswap := `<?xml version="1.0"?><methodCall><methodName>system/keyswap</methodName><params>` +
		`<param><value><string>http://nobody.invalid</string></value></param><param><value><string>x</string></value></param>` +
		`<param><value><string>moodle</string></value></param></params></methodCall>`
	if answer := fetch(t, "POST", s.Wwwroot+"/mnet/xmlrpc/server.php", keyswap); !strings.Contains(answer, strings.TrimSpace(certificate)) {
		t.Error("a keyswap answers another certificate than the pair")
	}
	return certificate
}

// linked checks that two sites can call each other at the first attempt.
func linked(t testing.TB, a, b *testbed.Site) {
	t.Helper()
	if called := a.Call(t, b.Wwwroot); !called.OK {
		t.Errorf("our call to the peer: %+v", called)
	}
	if called := b.Call(t, a.Wwwroot); !called.OK {
		t.Errorf("the peer's call to us: %+v", called)
	}
}
