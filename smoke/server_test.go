package main

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// counter is a database with one row, n = 0.
func counter(t *testing.T) *database {
	t.Helper()
	db, err := startDatabase(t.Context(), account{Host: "127.0.0.1", User: "moodle", Password: "secret", Database: "moodle"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Exec("CREATE TABLE c (id INT PRIMARY KEY, n INT NOT NULL); INSERT INTO c VALUES (1, 0)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t *testing.T, db *database) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT n FROM c WHERE id = 1").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDatabase checks what the story needs of the embedded server and its memory engine does not
// provide by itself.
func TestDatabase(t *testing.T) {
	for name, check := range map[string]func(*testing.T, *database){
		"a wrong password is refused with MySQL's number": func(t *testing.T, db *database) {
			who := db.account
			who.Password = "wrong"
			other, err := sql.Open("mysql", who.connection().FormatDSN())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := other.Ping(); number(err) != 1045 {
				t.Errorf("got %v, want error 1045", err)
			}
		},
		"transactions that read before they write lose nothing": func(t *testing.T, db *database) {
			var wait sync.WaitGroup
			for range 20 {
				wait.Go(func() {
					if err := increment(t.Context(), db); err != nil {
						t.Error(err)
					}
				})
				wait.Go(func() {
					_, err := db.Exec("INSERT INTO c VALUES (1, 99)")
					if number(err) != 1062 {
						t.Errorf("a duplicate gives %v, want error 1062", err)
					}
				})
			}
			wait.Wait()
			if n := count(t, db); n != 20 {
				t.Errorf("n = %d after 20 increments", n)
			}
		},
		"what was rolled back is not there": func(t *testing.T, db *database) {
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec("UPDATE c SET n = 7 WHERE id = 1"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if n := count(t, db); n != 0 {
				t.Errorf("n = %d", n)
			}
		},
		"a connection that dies in a transaction leaves the tables to others": func(t *testing.T, db *database) {
			ctx, cancel := context.WithCancel(t.Context())
			if _, err := db.BeginTx(ctx, nil); err != nil {
				t.Fatal(err)
			}
			cancel()
			if n := count(t, db); n != 0 {
				t.Errorf("n = %d", n)
			}
		},
		"a named lock keeps another connection out, while both go on using tables": func(t *testing.T, db *database) {
			first, second := conn(t, db), conn(t, db)
			if got := ask(t, first, "SELECT GET_LOCK('renewal', 0)"); got != 1 {
				t.Fatalf("the first gets %d", got)
			}
			if got := ask(t, second, "SELECT GET_LOCK('renewal', 0.1)"); got != 0 {
				t.Errorf("the second gets %d although it is taken", got)
			}
			if n := count(t, db); n != 0 {
				t.Errorf("n = %d", n)
			}
			if _, err := first.ExecContext(t.Context(), "SELECT RELEASE_LOCK('renewal')"); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, second, "SELECT GET_LOCK('renewal', 5)"); got != 1 {
				t.Errorf("the second gets %d although it was released", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, counter(t)) })
	}
}

// number is MySQL's number of the error, 0 for another error.
func number(err error) uint16 {
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) {
		return 0
	}
	return refused.Number
}

func increment(ctx context.Context, db *database) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	var n int
	if err := tx.QueryRow("SELECT n FROM c WHERE id = 1 FOR UPDATE").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE c SET n = ? WHERE id = 1", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

func conn(t *testing.T, db *database) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ask(t *testing.T, c *sql.Conn, query string) (answer int) {
	t.Helper()
	if err := c.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}
