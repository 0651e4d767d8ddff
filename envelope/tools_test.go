package envelope_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// legacyConf allows RC4 and MD5 in OpenSSL 3; every site that speaks MNet needs it.
const legacyConf = `openssl_conf = init
[init]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
`

// tool runs an installed program under legacyConf. If the program is missing, the test is skipped;
// in CI it fails.
func tool(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed: what it makes and reads is not compared", name)
	}
	conf := filepath.Join(t.TempDir(), "openssl.cnf")
	if err := os.WriteFile(conf, []byte(legacyConf), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Env = append(os.Environ(), "OPENSSL_CONF="+conf)
	command.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return out
}

// php runs a script that finds its input in $in and leaves its answer in $out. Both are passed as
// JSON, bytes in base64.
func php(t *testing.T, script string, input, output any) {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	const before = `error_reporting(0); $in = json_decode(stream_get_contents(STDIN), true); $out = [];`
	const after = `echo json_encode($out, JSON_INVALID_UTF8_SUBSTITUTE);`
	answer := tool(t, stdin, "php", "-r", before+script+after)
	if err := json.Unmarshal(answer, output); err != nil {
		t.Fatalf("php answered %.500q: %v", answer, err)
	}
}
