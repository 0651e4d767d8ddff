package moodledb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/moodledb/siteuser"
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
	if ctx.Err() != nil { // so that no server is said not to have answered
		return nil, ctx.Err()
	}
	d, err := c.Dialect()
	if err != nil {
		return nil, err
	}
	network, _, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	if network == "unix" && c.DBUser == "root" && c.Shared && os.Geteuid() == 0 && len(siteuser.Writers(c.File)) > 0 {
		return nil, fmt.Errorf("connect: %w", rootsAccount(c))
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

// rootsAccount refuses the account that a server gives to root by its socket, without a password:
// among sites of several users, one of them could have written it into his config.php to reach the
// database of another. As an answer, it says nothing about the server to other tenants.
func rootsAccount(c *config.Config) error {
	answer := &dialect.Refusal{Fault: dialect.Login, Problem: "the account root by the server's socket is not used for a config.php that other users than root can write"}
	return &AccessError{Server: server(c), Problem: answer.Problem, Err: answer,
		Advice: "give the site an account of its own, or work on this site alone: leave out --all and name its --config=PATH"}
}

// server names a database for an operator: without the password, with the network that was used.
func server(c *config.Config) string {
	network, address, _ := c.Endpoint() // an error would have prevented the connection
	if network == "unix" {
		address = "socket " + address
	}
	return fmt.Sprintf("database %s at %s as %s", c.DBName, address, c.DBUser)
}
