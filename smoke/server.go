package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	"github.com/go-sql-driver/mysql"
	"github.com/sirupsen/logrus"
)

// turnWait is how long a statement waits while another connection has a transaction open. InnoDB
// waits 50 s; here no transaction needs longer than a few statements.
const turnWait = 10 * time.Second

// account is a user of the embedded server with all rights on one database, none elsewhere.
type account struct {
	Host                     string
	Port                     int
	User, Password, Database string
}

// database is an embedded server that speaks MySQL's protocol on a loopback port and keeps its
// tables in memory.
type database struct {
	account
	*sql.DB // connected as the account; takes several statements at once
	server  *server.Server
	engine  *sqle.Engine
}

// startDatabase serves one empty database. The caller closes it.
func startDatabase(ctx context.Context, who account) (*database, error) {
	logrus.SetOutput(io.Discard) // the only way to silence it; its errors reach the client, too
	gms.SystemVariables.AddSystemVariables([]gms.SystemVariable{lockWait})
	provider := memory.NewDBProvider(memory.NewDatabase(who.Database))
	engine := sqle.NewDefault(provider)
	listener, err := net.Listen("tcp", net.JoinHostPort(who.Host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for the database: %w", err)
	}
	who.Port = listener.Addr().(*net.TCPAddr).Port
	if err := grant(engine, provider, who); err != nil {
		return nil, err
	}
	srv, err := server.NewServerWithHandler(server.Config{Listener: listener, Address: listener.Addr().String()}, engine, gms.NewContext,
		memory.NewSessionBuilder(provider), nil, func(h vitess.Handler) (vitess.Handler, error) {
			return &turns{Handler: h, taken: make(chan struct{}, 1)}, nil
		})
	if err != nil {
		return nil, fmt.Errorf("start the database: %w", err)
	}
	go srv.Start() //nolint:errcheck // it only ever answers nil
	connector, err := mysql.NewConnector(who.connection())
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	db := &database{account: who, DB: sql.OpenDB(connector), server: srv, engine: engine}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return db, nil
}

// lockWait is also a session variable in MySQL. The engine knows it only as a global one, and
// refuses clients that set it.
var lockWait = &gms.MysqlSystemVariable{
	Name:    "innodb_lock_wait_timeout",
	Scope:   gms.GetMysqlScope(gms.SystemVariableScope_Both),
	Dynamic: true,
	Type:    types.NewSystemIntType("innodb_lock_wait_timeout", 1, 1<<30, false),
	Default: int64(50),
}

// Close frees the port and ends every connection.
func (db *database) Close() {
	_ = db.DB.Close()
	_ = db.server.Close()
	_ = db.engine.Close()
}

func (a account) connection() *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = a.User, a.Password, a.Database
	c.Net, c.Addr = "tcp", net.JoinHostPort(a.Host, fmt.Sprint(a.Port))
	c.MultiStatements = true
	return c
}

// grant makes the account. Until then the server accepts every client.
func grant(engine *sqle.Engine, provider *memory.DbProvider, who account) error {
	users := engine.Analyzer.Catalog.MySQLDb
	users.SetPersister(forgetful{})
	users.AddRootAccount() // enables the check of passwords; dropped below
	session := memory.NewSession(gms.NewBaseSessionWithClientServer("", gms.Client{User: "root", Address: "localhost"}, 1), provider)
	ctx := gms.NewContext(context.Background(), gms.WithSession(session))
	for _, statement := range []string{
		// The server calls 127.0.0.1 localhost.
		fmt.Sprintf("CREATE USER '%s'@'localhost' IDENTIFIED BY '%s'", who.User, who.Password),
		fmt.Sprintf("GRANT ALL ON %s.* TO '%s'@'localhost'", who.Database, who.User),
		"DROP USER root@localhost",
	} {
		_, rows, _, err := engine.Query(ctx, statement)
		if err == nil {
			_, err = gms.RowIterToRows(ctx, rows)
		}
		if err != nil {
			return fmt.Errorf("make the account %s: %w", who.User, err)
		}
	}
	return nil
}

// forgetful keeps no copy of the accounts; without an object for that, CREATE USER panics.
type forgetful struct{}

func (forgetful) Persist(*gms.Context, []byte) error { return nil }

// turns lets one transaction at a time use the tables. At COMMIT the memory engine writes back
// every table that the transaction has used, even those it only read; two transactions at once
// would undo each other's rows. turns also gives SELECT … FOR UPDATE, which the engine treats as a
// plain SELECT, the meaning it has in InnoDB.
type turns struct {
	vitess.Handler
	taken chan struct{} // full as long as a connection has its turn
}

func (t *turns) ComQuery(ctx context.Context, c *vitess.Conn, query string, callback vitess.ResultSpoolFn) error {
	return t.turn(ctx, c, query, func() error { return t.Handler.ComQuery(ctx, c, query, callback) })
}

func (t *turns) ComMultiQuery(ctx context.Context, c *vitess.Conn, query string, callback vitess.ResultSpoolFn) (rest string, err error) {
	err = t.turn(ctx, c, query, func() error {
		rest, err = t.Handler.ComMultiQuery(ctx, c, query, callback)
		return err
	})
	return rest, err
}

func (t *turns) ComStmtExecute(ctx context.Context, c *vitess.Conn, p *vitess.PrepareData, callback func(*sqltypes.Result) error) error {
	return t.turn(ctx, c, p.PrepareStmt, func() error { return t.Handler.ComStmtExecute(ctx, c, p, callback) })
}

func (t *turns) ConnectionClosed(c *vitess.Conn) {
	t.Handler.ConnectionClosed(c)
	if inTransaction(c) {
		<-t.taken
	}
}

// turn runs one statement. A connection inside a transaction has its turn already and keeps it
// until the transaction ends.
func (t *turns) turn(ctx context.Context, c *vitess.Conn, query string, run func() error) error {
	if strings.Contains(strings.ToUpper(query), "_LOCK(") {
		return run() // GET_LOCK touches no table, and waits for another connection's RELEASE_LOCK
	}
	if !inTransaction(c) {
		select {
		case t.taken <- struct{}{}:
		case <-time.After(turnWait):
			return vitess.NewSQLError(vitess.ERLockWaitTimeout, vitess.SSUnknownSQLState, "another connection has had a transaction open for %v", turnWait)
		}
	}
	defer func() {
		if !inTransaction(c) {
			<-t.taken
		}
	}()
	err := run()
	if err != nil && !inTransaction(c) {
		// The engine leaves a failed statement's transaction open and commits it, stale tables and
		// all, with the connection's next BEGIN.
		if failed := t.Handler.ComQuery(ctx, c, "ROLLBACK", func(*sqltypes.Result, bool) error { return nil }); failed != nil {
			return failed
		}
	}
	return err
}

// inTransaction is the state that the server would report to the client in its next answer.
func inTransaction(c *vitess.Conn) bool { return c.StatusFlags&uint16(vitess.ServerInTransaction) != 0 }
