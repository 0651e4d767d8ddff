package moodledb

import (
	"net"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

func TestAWrongDBTypeIsNamed(t *testing.T) {
	t.Parallel()
	maria, postgres := testbed.MariaDB(t).Port, testbed.PostgreSQL(t).Port
	for _, ssl := range []string{"", "disable", "prefer", "require"} {
		for dbtype, port := range map[string]int{"pgsql": maria, "mariadb": postgres} {
			c := &config.Config{DBType: dbtype, DBHost: "127.0.0.1", DBPort: port, DBName: "m", DBUser: "m", SSL: ssl, ConnectTimeout: time.Second}
			_, err := Open(t.Context(), c)
			hint := rotate.HintOf(err)
			if err == nil || !strings.Contains(hint, "dbtype in config.php") || strings.Contains(hint, "ssl demands") != (dbtype == "pgsql" && ssl == "require") {
				t.Errorf("%s, ssl %q: %v; hint: %s", dbtype, ssl, err, hint)
			}
		}
	}
}

// PostgreSQL's driver takes the length of MySQL's greeting, which differs with the server's version,
// for the type of a message. It skips messages of some types.
func TestEveryGreetingOfMySQLIsThatOfAnotherServer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	greetings := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			greeting := <-greetings
			greetings <- greeting
			_, _ = conn.Write([]byte(greeting))
			go func() { time.Sleep(100 * time.Millisecond); _ = conn.Close() }()
		}
	}()
	for length := 50; length < 200; length++ {
		version := "8.0.36-0ubuntu" + strings.Repeat("x", length-50)
		body := "\x0a" + version + "\x00" + strings.Repeat("s", length-len(version)-2)
		greetings <- string([]byte{byte(length), 0, 0, 0}) + body
		for _, ssl := range []string{"", "disable"} {
			c := &config.Config{DBType: "pgsql", DBHost: "127.0.0.1", DBPort: listener.Addr().(*net.TCPAddr).Port, DBName: "m", DBUser: "m", SSL: ssl, ConnectTimeout: time.Second}
			_, err := Open(t.Context(), c)
			if hint := rotate.HintOf(err); !strings.Contains(hint, "dbtype") {
				t.Errorf("length %d (%q), ssl %q: %v; hint %s", length, rune(length), ssl, err, hint)
			}
		}
		<-greetings
	}
}

func TestAWrongDBTypeKeepsNoOtherTenantFromTheServer(t *testing.T) {
	t.Parallel()
	servers := NewServers(2)
	defer servers.Close()
	right := config.Config{DBType: "pgsql", DBHost: "127.0.0.1", DBPort: silentServer(t), DBName: "m", DBUser: "m", ConnectTimeout: 100 * time.Millisecond}
	wrong := right
	wrong.DBType = "mariadb"
	if _, err := servers.Open(t.Context(), &wrong); err == nil {
		t.Fatal("it answered")
	}
	for c, down := range map[*config.Config]bool{&wrong: true, &right: false} {
		server, err := servers.of(c)
		if err != nil || (server.reach.down != nil) != down {
			t.Errorf("%s: %v, %v", c.DBType, server.reach.down, err)
		}
	}
}
