package moodledb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"renew_mnetkeys/moodledb/config"
)

const (
	defaultConnectTimeout = 10 * time.Second
	// maxConnections is the number of connections that a tenant may use at the same time: the lock
	// occupies one, the others store what peers answer.
	maxConnections = 4
)

// connect opens a pool on the database of c, always the primary: dboptions readonly replicas are
// for readers that accept old data. The caller closes it.
func connect(ctx context.Context, c *config.Config) (*sql.DB, error) {
	d, err := c.Dialect()
	if err != nil {
		return nil, err
	}
	if _, _, err := c.Endpoint(); err != nil {
		return nil, err
	}
	account := c.Account()
	if account.Timeout <= 0 {
		account.Timeout = defaultConnectTimeout
	}
	connector, err := d.Connector(account)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server(c), err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	limited, cancel := context.WithTimeout(ctx, account.Timeout)
	defer cancel()
	if err := db.PingContext(limited); err != nil {
		_ = db.Close()
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case limited.Err() != nil:
			err = os.ErrDeadlineExceeded
		}
		return nil, fmt.Errorf("connect: %w", explain(c, err))
	}
	return db, nil
}

// server names a database for an operator: without the password, with the network that was used.
func server(c *config.Config) string {
	network, address, _ := c.Endpoint() // an error would have prevented the connection
	if network == "unix" {
		address = "socket " + address
	}
	return fmt.Sprintf("database %s at %s as %s", c.DBName, address, c.DBUser)
}
