package config

import (
	"context"
	"errors"

	"renew_mnetkeys/moodledb/dialect"
)

// Dialect is that of the tenant's database. The error is an *UnsupportedDBError; the dialect is
// usable nevertheless.
func (c *Config) Dialect() (dialect.Dialect, error) {
	d, known := dialect.For(c.DBType)
	if !known {
		return d, &UnsupportedDBError{DBType: c.DBType}
	}
	return d, nil
}

// Account is how to reach the tenant's database and to log in.
func (c *Config) Account() dialect.Account {
	return dialect.Account{Host: c.DBHost, Socket: c.DBSocket, DefaultSocket: c.defaultSocket, Port: c.DBPort, SSL: c.SSL, Timeout: c.ConnectTimeout,
		Name: c.DBName, User: c.DBUser, Password: c.DBPass}
}

// Names are those of the tenant's tables.
func (c *Config) Names() dialect.Names { return dialect.Names{Schema: c.DBSchema, Prefix: c.Prefix} }

// Endpoint says where the database server is: network "unix" with a socket path, or "tcp" with
// host:port (IPv6 in brackets). The error is an *Error.
func (c *Config) Endpoint() (network, address string, err error) {
	d, _ := c.Dialect()
	network, address, err = d.Endpoint(c.Account())
	var host *dialect.HostError
	if errors.As(err, &host) {
		err = &Error{File: c.File, Setting: "dbhost", Problem: host.Problem, Advice: host.Advice}
	}
	return network, address, err
}

// askForSocket asks php for its socket if the site's database, or the register, may be there.
func (c *Config) askForSocket(ctx context.Context) {
	ask := usesDefaultSocket(c) || c.Register != nil && usesDefaultSocket(c.OfRegister())
	if ask && c.options.DefaultSocket != nil {
		c.defaultSocket = c.options.DefaultSocket(ctx, c)
	}
}

func usesDefaultSocket(c *Config) bool {
	d, _ := c.Dialect()
	return dialect.UsesDefaultSocket(d, c.Account())
}
