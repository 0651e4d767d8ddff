package config

import (
	"bufio"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// oracle says what php makes of a config.php that a script of Moodle requires: its $CFG->dbpass, or
// how the script ends before that. It shares no code with what the tool itself runs in php. For
// each file, named in a line on descriptor 4, it forks, so that each file has a php process of its
// own: to start one takes ten times as long.
const oracle = `<?php
define('ORACLE', fopen('php://fd/3', 'w'));
$oracle_asked = fopen('php://fd/4', 'r');
while (($oracle_path = fgets($oracle_asked)) !== false && ($oracle_child = pcntl_fork()) !== 0) {
    pcntl_waitpid($oracle_child, $oracle_status);
    fwrite(ORACLE, "\n");
}
if ($oracle_path === false) {
    exit;
}
$argv = $_SERVER['argv'] = array($argv[0], rtrim($oracle_path, "\n"));
$argc = $_SERVER['argc'] = 2;
unset($oracle_asked, $oracle_path, $oracle_child, $oracle_status);
define('CLI_SCRIPT', true);
foreach (array_filter(explode(' ', (string)getenv('ORACLE_SERVER'))) as $oracle) {
    list($oracle_name, $oracle_value) = explode('=', $oracle, 2);
    $_SERVER[$oracle_name] = $oracle_value;
}
set_error_handler(function ($level, $message) { // a lib/setup.php that is not there is none to the tool's reader
    if (preg_match('#/lib/setup\\.php\): Failed to open stream#i', $message)) {
        define('ORACLE_SETUP', 1);
        exit;
    }
    return false;
}, E_WARNING);
register_shutdown_function(function () {
    global $CFG, $oracle_end;
    $error = error_get_last();
    if (!defined('ORACLE_SETUP') && $error && ($error['type'] & (E_ERROR | E_PARSE | E_COMPILE_ERROR | E_CORE_ERROR | E_USER_ERROR))) {
        $oracle_end = 'error';
    }
    $value = is_object($CFG) && isset($CFG->dbpass) ? $CFG->dbpass : null;
    $kind = gettype($value);
    if (is_object($value) && method_exists($value, '__toString')) {
        $value = (string)$value;
    } else if (is_array($value) || is_object($value)) { // no database takes it
        $oracle_end = 'error';
    }
    fwrite(ORACLE, (defined('ORACLE_SETUP') && !isset($oracle_end) ? 'end' : (isset($oracle_end) ? $oracle_end : 'exit')) . ' ' . $kind . ' ' .
        (is_scalar($value) ? base64_encode((string)$value) : ''));
});
$argv = array($argv[1]);
chdir(dirname($argv[0]));
ob_start();
try {
    $oracle_returned = require $argv[0];
    $oracle_end = $oracle_returned !== 1 ? 'return' : (preg_match('/return\s+1;/', file_get_contents($argv[0])) ? 'either' : 'end'); // at its end a file gives 1
} catch (Throwable $e) {
    $oracle_end = 'error';
}
`

// verdict is the result of the oracle or the tool for a file.
type verdict struct {
	how   string // oracle: end, return, either, exit or error; tool: end or error
	kind  string // of the value, as gettype() has it
	value string
	err   error
}

// differential compares the tool with php.
type differential struct {
	php, dataroot string
	oracles       *oracles
}

func newDifferential(t testing.TB) differential {
	t.Helper()
	d := differential{php: testbed.PHP(t, "pcntl"), dataroot: shared(t)}
	d.oracles = &oracles{php: d.php, script: filepath.Join(shared(t), "oracle.php"), idle: map[string][]*running{}}
	write(t, d.oracles.script, oracle)
	chmod(t, d.oracles.script, 0o644)
	t.Cleanup(d.oracles.end)
	owned(t, d.dataroot)
	return d
}

// oracles are the oracles that run, each in one environment.
type oracles struct {
	php, script string
	mu          sync.Mutex
	idle        map[string][]*running // by environment
}

// running is an oracle that waits for its next file.
type running struct {
	cmd     *exec.Cmd
	ask     *os.File
	answers *bufio.Reader
}

// in takes an oracle of that environment, which keep gives back.
func (o *oracles) in(environ []string) (*running, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := strings.Join(environ, "\n")
	if idle := o.idle[key]; len(idle) > 0 {
		o.idle[key] = idle[1:]
		return idle[0], nil
	}
	answers, written, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	asked, ask, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(o.php, "-d", "display_errors=0", "-d", "log_errors=0", o.script)
	cmd.Env, cmd.ExtraFiles = environ, []*os.File{written, asked}
	err = cmd.Start()
	_, _ = written.Close(), asked.Close()
	return &running{cmd, ask, bufio.NewReader(answers)}, err
}

// answer is the answer of an oracle for a file.
func (o *oracles) answer(path string, environ []string) (string, error) {
	r, err := o.in(environ)
	if err != nil {
		return "", err
	}
	defer o.keep(r, environ)
	if _, err := r.ask.WriteString(path + "\n"); err != nil {
		return "", err
	}
	return r.answers.ReadString('\n')
}

func (o *oracles) keep(r *running, environ []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := strings.Join(environ, "\n")
	o.idle[key] = append(o.idle[key], r)
}

func (o *oracles) end() {
	for _, all := range o.idle {
		for _, r := range all {
			_ = r.ask.Close()
			_ = r.cmd.Wait()
		}
	}
}

// shared is a directory that every user may read.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// owned gives a dataroot to a web server's user if the test runs as root, because no php runs as
// root.
func owned(t testing.TB, dataroot string) {
	t.Helper()
	if os.Geteuid() == 0 {
		if err := os.Chown(dataroot, 33, 33); err != nil {
			t.Fatal(err)
		}
	}
}

// asked is php's own answer. It never ends the test, since it can run in another goroutine than the
// test's.
func (d differential) asked(t testing.TB, path string, environ []string) verdict {
	t.Helper()
	answer, err := d.oracles.answer(path, environ)
	if err != nil {
		t.Error(err)
	}
	fields := strings.Split(strings.TrimSuffix(answer, "\n")+"  ", " ")
	value, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		t.Error(err)
	}
	if fields[0] == "" { // it died before it could answer
		fields[0] = "error"
	}
	return verdict{how: fields[0], kind: fields[1], value: string(value)}
}

// read is the tool's answer, with all settings but the password given.
func (d differential) read(t testing.TB, path string, environ []string, php, host string) verdict {
	t.Helper()
	c, err := Read(t.Context(), path, Options{PHP: php, Environ: environ, Wwwroot: host, Overrides: map[string]string{
		"dbtype": "mysqli", "dbhost": "h", "dbname": "d", "dbuser": "u", "prefix": "", "wwwroot": "http://x.example", "dataroot": d.dataroot, "dirroot": "/d",
		"cachedir": "", "altcacheconfigpath": "", "noreplyaddress": "", "mnetkeylifetime": "", "mnet_dispatcher_mode": "", "forced_plugin_settings": "",
		"pathtophp": "", "dboptions.dbport": "", "vmasterdbname": "", "alternative_cache_factory_class": "",
	}})
	if err != nil {
		return verdict{how: "error", err: err}
	}
	return verdict{how: "end", value: c.DBPass}
}

// compare reads one file in both ways. alone says whether the reader could do it without php.
func (d differential) compare(t testing.TB, path string, environ []string, host string) (alone bool) {
	t.Helper()
	if host != "" {
		environ = append(environ, "ORACLE_SERVER=HTTP_HOST=x.example SERVER_NAME=x.example REQUEST_SCHEME=http SERVER_PORT=80")
	}
	want := d.asked(t, path, environ)
	for _, php := range []string{"", d.php} {
		if alone {
			break // php is not needed
		}
		got := d.read(t, path, environ, php, host)
		alone = php == "" && got.how == "end"
		switch {
		case got.how == "end" && (want.how != "end" && want.how != "either" || got.value != want.value):
			t.Errorf("%s, with php %q:\n%s\nis  %q\nphp %q, %s, %s", path, php, source(path), got.value, want.value, want.kind, want.how)
		case got.how == "error" && php != "" && want.how == "end" && want.value != "" && host == "" && !refusedByRule(got.err):
			t.Errorf("%s:\n%s\nis refused with php: %v\nphp %q, %s", path, source(path), got.err, want.value, want.kind)
		}
	}
	return alone
}

// refusedByRule says whether a file is refused although php would give a value: Moodle itself would
// not start, or would see a request.
func refusedByRule(err error) bool {
	return strings.Contains(err.Error(), "web request") || strings.Contains(err.Error(), "config.php ends here by return") ||
		strings.Contains(err.Error(), "is not a text") || strings.Contains(err.Error(), "must be a stdClass")
}

func source(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// inParallel runs f for each of n, as many at once as there are processors.
func inParallel(n int, f func(i int)) {
	next := make(chan int)
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	done.Wait()
}

// environOf is the environment that a case names in its first line.
func environOf(text string) []string {
	first, _, _ := strings.Cut(text, "\n")
	environ := append([]string{"HOME=/root", "PATH=" + os.Getenv("PATH")}, bare)
	if _, set, found := strings.Cut(first, "// env: "); found {
		environ = append(environ, strings.Fields(set)...)
	}
	return environ
}

// Each file of the cases has one construct that decides the password. The tool must give PHP's
// value, or none.
func TestEveryCaseIsReadAsPHPDoesOrRefused(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	dir := shared(t)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "cases"))); err != nil {
		t.Fatal(err)
	}
	// After the link, .. leads to elsewhere for some functions of PHP, and to the directory of the
	// files for others.
	write(t, filepath.Join(dir, "elsewhere", "by-way.inc"), "<?php $CFG->dbpass = 'elsewhere';")
	write(t, filepath.Join(dir, "by-way.inc"), "<?php $CFG->dbpass = 'here';")
	for _, err := range []error{os.Mkdir(filepath.Join(dir, "elsewhere", "deep"), 0o755), os.Symlink("elsewhere/deep", filepath.Join(dir, "link"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"elsewhere", "elsewhere/by-way.inc", "by-way.inc"} {
		chmod(t, filepath.Join(dir, name), 0o755)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.php"))
	if err != nil || len(files) < 180 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	alone := make([]bool, len(files))
	inParallel(len(files), func(i int) { alone[i] = d.compare(t, files[i], environOf(source(files[i])), "") })
	read := 0
	for _, yes := range alone {
		if yes {
			read++
		}
	}
	t.Logf("%d of %d were read without php", read, len(files))
	if read < 40 {
		t.Errorf("only %d of %d were read without php: the test shows little", read, len(files))
	}
}

// The files of testdata/shapes are like real ones: none needs PHP, and all are read as PHP reads
// them.
func TestFilesAsPeopleHaveThemAreReadWithoutPHP(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	files, err := filepath.Glob(filepath.Join("testdata", "shapes", "*.php"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d shapes, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := shared(t)
			surroundings(t, dir)
			for name, text := range map[string]string{
				"config.php": source(file), "local/vmoodle/bootlib.php": "<?php\nfunction vmoodle_get_hostname() { }\nfunction vmoodle_boot_configuration() { }\n",
				"local/vmoodle/vconfig.php": "<?php\nif ((defined('CLI_SCRIPT') && CLI_SCRIPT) && !defined('WEB_CRON_EMULATED_CLI') && !defined('CLI_VMOODLE_OVERRIDE')) return;\n" +
					"require_once($CFG->dirroot.'/local/vmoodle/bootlib.php');\n$CFG->vmasterdbhost = 'localhost';\nvmoodle_get_hostname();\n$CFG->trace = $CFG->dataroot.'/trace.log';\nvmoodle_boot_configuration();\n",
			} {
				write(t, filepath.Join(dir, name), text)
			}
			for _, part := range []string{"config.php", "local", "local/vmoodle", "local/vmoodle/bootlib.php", "local/vmoodle/vconfig.php"} {
				chmod(t, filepath.Join(dir, part), 0o755)
			}
			_, host, _ := strings.Cut(strings.SplitN(source(file), "\n", 2)[0], "// host: ")
			if !d.compare(t, filepath.Join(dir, "config.php"), environOf(source(file)), host) {
				t.Error(d.read(t, filepath.Join(dir, "config.php"), environOf(source(file)), "", host).err)
			}
		})
	}
}
