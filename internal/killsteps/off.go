//go:build !killsteps

// Package killsteps lets a test kill the command before and after each of its steps: every SQL
// statement, every HTTP exchange, every file that it makes, writes, renames or removes. Only a
// build with the tag killsteps has steps; in any other build the functions here do nothing of their
// own.
package killsteps

import (
	"context"
	"net"
)

// DialFunc is net.Dialer.DialContext.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// Peers is the dial function for other sites: nil, for the default.
func Peers() DialFunc { return nil }

// PostgreSQL is the connection itself.
func PostgreSQL(conn net.Conn, _ string) net.Conn { return conn }

// File runs do, which works on a file.
func File(_ string, do func() error) error { return do() }
