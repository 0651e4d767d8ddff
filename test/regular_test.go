package test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An option may name a pipe to which no process writes, or a device that never ends: it is refused
// at once, and nothing is opened that opening changes.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, socket, link := filepath.Join(dir, "pipe.prom"), filepath.Join(dir, "socket.prom"), filepath.Join(dir, "link.prom")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.php")
	if err := os.WriteFile(config, []byte("<?php $CFG = new stdClass(); $CFG->wwwroot = 'https://a.example'; $CFG->dataroot = '"+dir+"'; $CFG->dbtype = 'mysqli';"+
		"$CFG->dbhost = 'localhost'; $CFG->dbname = 'none'; $CFG->dbuser = 'none'; $CFG->dbpass = ''; $CFG->prefix = 'mdl_'; require(__DIR__ . '/lib/setup.php');"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder.prom")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for option, word := range map[string]string{"options=": "status", "ca-file=": "verify", "cfg=dbpass=@": "status", "config=": "doctor",
		"report=": "verify", "prometheus-file=": "verify"} {
		for what, file := range map[string]string{"a pipe": pipe, "a link to a pipe": link, "a socket": socket, "a directory": folder, "a device": "/dev/zero", "a terminal": "/dev/ptmx"} {
			if option == "prometheus-file=" && strings.HasPrefix(file, "/dev/") || option == "report=" && file == link || option == "prometheus-file=" && file == link {
				continue // of another name, or replaced and never opened
			}
			t.Run(option+what, func(t *testing.T) {
				t.Parallel()
				if option == "config=" { // its errors are moodledb's
					run1(t, command(t, word, "--config="+file)).expect(t, 2)
					return
				}
				run1(t, command(t, word, "--"+option+file, "--config="+config)).expect(t, 2, "regular file")
			})
		}
	}
}

// A link to a regular file is read, and so is stdin that was redirected from one.
func TestALinkToARegularFileIsRead(t *testing.T) {
	t.Parallel()
	file, link := write(t, "secret\n"), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	run1(t, command(t, "status", "--config=missing/config.php", "--cfg=dbpass=@"+link)).expect(t, 2, "missing/config.php")
	for redirection, says := range map[string]string{"<" + file: "missing/config.php", "</dev/zero": "is not a regular file", "< <(echo x)": "write its content to a file"} {
		cmd := command(t, "status", "--config=missing/config.php", "--cfg=dbpass=@/dev/stdin")
		throughShell(cmd, redirection)
		cmd.Path, cmd.Args[0] = "/bin/bash", "bash"
		run1(t, cmd).expect(t, 2, says)
	}
}
