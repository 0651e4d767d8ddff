package config

import (
	"net"
	"os"
	"strconv"
	"strings"
)

// sockets are where MariaDB and MySQL listen by default: Debian, Red Hat, SUSE, the sources, XAMPP,
// Homebrew.
var sockets = []string{
	"/var/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/run/mysql/mysql.sock", "/tmp/mysql.sock",
	"/opt/lampp/var/mysql/mysql.sock", "/opt/bitnami/mariadb/tmp/mysql.sock",
}

// Endpoint says where the database server is: network "unix" with a socket path, or "tcp" with
// host:port (IPv6 in brackets). It reads dbhost as PHP's mysqli does: localhost, or an empty host,
// is the unix socket, whatever the port. A port in dbhost overrides dboptions dbport, also after
// localhost, which then means TCP. The error is an *Error.
func (c *Config) Endpoint() (network, address string, err error) {
	host := withoutPersistence(c.DBHost)
	if host == "" || strings.EqualFold(host, "localhost") {
		return "unix", c.socket(), nil
	}
	port := c.DBPort
	switch bare, explicit, err := net.SplitHostPort(host); {
	case err == nil:
		if port, err = strconv.Atoi(explicit); err != nil || port < 1 || port > 65535 {
			return "", "", c.badHost("has no port number behind the colon")
		}
		host = bare
	case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
		host = host[1 : len(host)-1]
	case strings.Contains(host, ":") && net.ParseIP(host) == nil:
		return "", "", c.badHost("is neither a host nor host:port")
	}
	if host == "" || strings.ContainsAny(host, "/ \t\r\n@") {
		return "", "", c.badHost("is not a host name")
	}
	if port == 0 {
		port = 3306
	}
	return "tcp", net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// withoutPersistence removes mysqli's mark of a persistent connection.
func withoutPersistence(host string) string {
	if len(host) >= 2 && strings.EqualFold(host[:2], "p:") {
		return host[2:]
	}
	return host
}

// socket is dboptions dbsocket, else the first usual path that exists. If none exists, the
// connection attempt reports it.
func (c *Config) socket() string {
	if c.DBSocket != "" {
		return c.DBSocket
	}
	for _, path := range sockets {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			return path
		}
	}
	return sockets[0]
}

func (c *Config) badHost(problem string) error {
	return &Error{File: c.File, Setting: "dbhost", Problem: problem,
		Advice: "write HOST, HOST:PORT or [IPv6]:PORT; localhost for the unix socket that dboptions dbsocket names"}
}
