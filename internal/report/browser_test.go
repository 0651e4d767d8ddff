package report_test

import (
	"bytes"
	"context"
	_ "embed" // the steps on a page
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
)

//go:embed driver_test.js
var driverJS string

// browserLimit is for one start of Chromium, which takes about a second.
const browserLimit = 2 * time.Minute

// browser is a headless Chromium. It is started again for each page, with its own profile.
type browser struct{ path string }

func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return browser{path: path}
		}
	}
	testbed.Missing(t, "chromium is not installed")
	return browser{}
}

// run starts Chromium on an address and gives its standard output and what pages wrote to the
// console. Chromium logs every console line as INFO, including errors of scripts and refusals of
// the policy; the report page writes none, so every line is an error.
func (b browser) run(t *testing.T, address string, options ...string) (out string, console []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
	defer cancel()
	arguments := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-extensions", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--v=0"}, options...)
	cmd := exec.CommandContext(ctx, b.path, append(arguments, address)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Chromium is many processes; all of them must end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("chromium on %s: %v\n%s", address, err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, ":CONSOLE:") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	return stdout.String(), console
}

// phoneHTML shows a page as on a phone, and the results of its steps get its title. A window cannot
// be so narrow.
const phoneHTML = `<iframe src="%s" title="%s" style="width: 390px; height: 844px; border: 0"
onload="const results = this.contentDocument.getElementById('results'); results.title = this.title; document.body.append(results)"></iframe>`

// step is an action on a page, and the expected result as JSON.
type step struct{ name, do, want string }

// drive opens a page and does the steps one after the other.
func (b browser) drive(t *testing.T, page, hash string, steps []step, options ...string) {
	t.Helper()
	judge(t, b.dom(t, file(t, driven(page, steps))+hash, options...), `<pre id="results">`, steps)
}

// onPhones opens each page on a phone of its own, all at once, and does the steps on each.
func (b browser) onPhones(t *testing.T, pages map[string]string, steps []step, options ...string) {
	t.Helper()
	phones := "<!doctype html>"
	for title, page := range pages {
		phones += fmt.Sprintf(phoneHTML, file(t, driven(page, steps)), title)
	}
	dom := b.dom(t, file(t, phones), append(options, "--allow-file-access-from-files")...)
	for title := range pages {
		t.Run(title, func(t *testing.T) { judge(t, dom, `<pre id="results" title="`+title+`">`, steps) })
	}
}

// driven is a copy of the page in which the steps are done. The policy of the copy also allows the
// script that does them, and nothing else that the policy of the page refuses.
func driven(page string, steps []step) string {
	driver := driverJS
	for _, s := range steps {
		driver += fmt.Sprintf("step(%q, () => %s);\n", s.name, s.do)
	}
	driver += "finish();\n"
	page = strings.Replace(page, "script-src ", "script-src "+digest(driver)+" ", 1)
	return strings.Replace(page, "</body>", "<script>"+driver+"</script></body>", 1)
}

// dom is what an address shows in the end, without a word on the console.
func (b browser) dom(t *testing.T, address string, options ...string) string {
	t.Helper()
	dom, console := b.run(t, address, append(options, "--dump-dom")...)
	if len(console) > 0 {
		t.Errorf("the console has %q", console)
	}
	return dom
}

// judge compares the results, which stand behind begin, with those that the steps want.
func judge(t *testing.T, dom, begin string, steps []step) {
	t.Helper()
	_, text, _ := strings.Cut(dom, begin)
	text, _, _ = strings.Cut(text, "</pre>")
	results := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &results); err != nil {
		t.Fatalf("the steps have not all been done: %v", err)
	}
	for _, s := range steps {
		if got := string(results[s.name]); got != s.want {
			t.Errorf("%s: %s\n got %s\nwant %s", s.name, s.do, got, s.want)
		}
	}
}

// file puts a page where Chromium can open it, and gives its address.
func file(t *testing.T, page string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}
