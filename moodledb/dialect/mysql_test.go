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
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	for name, c := range map[string]struct {
		usual []string
		want  string
	}{
		"one is there":    {[]string{none, file, socket}, socket},
		"none of them is": {[]string{none, file}, none},
	} {
		mySQLSockets = c.usual
		if network, address, err := (mySQL{}).Endpoint(Account{Host: "localhost", Socket: "yes"}); err != nil || network != "unix" || address != c.want {
			t.Errorf("%s: %s %s, %v", name, network, address, err)
		}
	}
}
