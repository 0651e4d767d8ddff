package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

// The database is on localhost, at a socket that only php's own settings name.
func TestTheSocketIsThatOfPHP(t *testing.T) {
	t.Parallel()
	php := testbed.PHP(t, "mysqli")
	f := newRace(t)
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	local := strings.Replace(string(text), fmt.Sprintf("'dbport' => %d", f.master.DB.Port), "", 1)
	placeFile(t, f.config, strings.Replace(local, "'"+f.master.DB.Host+"'", "'localhost'", 1))
	for _, tenant := range f.tenants {
		f.says(t, tenant.Site, "vdbhost = 'localhost'")
	}
	placeFile(t, filepath.Join(f.master.Dirroot, "local", "vmoodle", "vconfig.php"), fmt.Sprintf(vconfigPHP,
		"localhost", f.master.DB.Name, f.master.DB.User, f.master.DB.Password, f.master.DB.Prefix))
	with := func(socket string) string {
		path := filepath.Join(t.TempDir(), "php")
		placeFile(t, path, "#!/bin/sh\nexec "+php+" -d mysqli.default_socket="+socket+` "$@"`+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		return "--php=" + path
	}
	socket := with(f.master.DB.Socket)
	f.renew(t, socket).expect(t, 0)
	f.renew(t, socket, "--all", "--withmaster").expect(t, 0)
	if wrong := f.wrongLinks(t); len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}
