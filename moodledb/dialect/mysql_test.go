package dialect

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestMySQLSocketWithoutDBSocketIsTheFirstUsualOneThatExists(t *testing.T) {
	usual, dir := mySQLSockets, t.TempDir()
	t.Cleanup(func() { mySQLSockets = usual })
	none, file, socket := filepath.Join(dir, "none"), filepath.Join(dir, "file"), filepath.Join(dir, "socket")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	for _, path := range []string{socket, other} {
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
	}
	for name, c := range map[string]struct {
		php   string
		usual []string
		want  string
	}{
		"one is there":                     {"", []string{none, file, socket}, socket},
		"none of them is":                  {"", []string{none, file}, none},
		"php's comes first":                {other, []string{socket}, other},
		"php's is not there":               {none, []string{file, socket}, socket},
		"neither php's nor a usual one is": {file, []string{none}, file},
	} {
		mySQLSockets = c.usual
		if network, address, err := (mySQL{}).Endpoint(Account{Host: "localhost", Socket: "yes", DefaultSocket: c.php}); err != nil || network != "unix" || address != c.want {
			t.Errorf("%s: %s %s, %v", name, network, address, err)
		}
	}
}
