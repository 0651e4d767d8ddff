package config

import (
	"errors"
	"testing"
)

// TestEndpoint compares with PHP 8.2's mysqli, whose behaviour was measured for each host.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config           Config
		network, address string
	}{
		"localhost is the socket":                           {Config{DBHost: "localhost", DBSocket: "/s"}, "unix", "/s"},
		"localhost is the socket whatever the port":         {Config{DBHost: "localhost", DBSocket: "/s", DBPort: 3307}, "unix", "/s"},
		"localhost in capitals":                             {Config{DBHost: "LOCALHOST", DBSocket: "/s"}, "unix", "/s"},
		"no host is localhost":                              {Config{DBSocket: "/s"}, "unix", "/s"},
		"a persistent localhost":                            {Config{DBHost: "p:localhost", DBSocket: "/s"}, "unix", "/s"},
		"127.0.0.1 is TCP, socket or not":                   {Config{DBHost: "127.0.0.1", DBSocket: "/s"}, "tcp", "127.0.0.1:3306"},
		"the port is dbport":                                {Config{DBHost: "db.example.org", DBPort: 3307}, "tcp", "db.example.org:3307"},
		"a port in the host wins":                           {Config{DBHost: "db.example.org:3308", DBPort: 3307}, "tcp", "db.example.org:3308"},
		"a port behind localhost makes it TCP":              {Config{DBHost: "localhost:3308", DBSocket: "/s"}, "tcp", "localhost:3308"},
		"a persistent host":                                 {Config{DBHost: "p:db"}, "tcp", "db:3306"},
		"an IPv6 address in brackets with a port":           {Config{DBHost: "[::1]:3308"}, "tcp", "[::1]:3308"},
		"an IPv6 address in brackets":                       {Config{DBHost: "[::1]", DBPort: 3307}, "tcp", "[::1]:3307"},
		"an IPv6 address without them, which old PHP takes": {Config{DBHost: "2001:db8::1"}, "tcp", "[2001:db8::1]:3306"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			network, address, err := test.config.Endpoint()
			if err != nil || network != test.network || address != test.address {
				t.Errorf("%s %s %v", network, address, err)
			}
		})
	}
	for _, host := range []string{"/run/mysqld.sock", "db:", "db:0", "db:70000", "db:x", "a:b:c", ":3306", "user@db", "tcp://db", "a b"} {
		t.Run("refused: "+host, func(t *testing.T) {
			var unusable *Error
			c := Config{DBHost: host}
			if network, address, err := c.Endpoint(); !errors.As(err, &unusable) || unusable.Setting != "dbhost" {
				t.Errorf("%s %s %v", network, address, err)
			}
		})
	}
}
