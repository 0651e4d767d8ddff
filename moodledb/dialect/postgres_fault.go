package dialect

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgreSQLFaults are the SQLSTATEs of PostgreSQL on which the code decides.
var postgreSQLFaults = map[string]Fault{
	"08000": Lost, "08001": Lost, "08003": Lost, "08004": Lost, "08006": Lost,
	"23505": Conflict, // another transaction has inserted the same row
	"25006": ReadOnly,
	"25P03": Lost, "25P04": Lost, // idle for too long in a transaction, a transaction that took too long
	"28000": Login, // also: pg_hba.conf does not let this account in from here
	"28P01": Login, // wrong password
	"3D000": NoDatabase,
	"3F000": NoTable, // no such schema
	"40001": Conflict,
	"40P01": Conflict, // deadlock
	"42501": NoRight,
	"42601": Syntax,
	"42703": NoColumn,
	"42P01": NoTable,
	"53100": NoRoom,
	"53300": NoConnection,
	"55P03": Conflict,                                          // waited too long for a lock
	"57P01": Lost, "57P02": Lost, "57P03": Lost, "57P05": Lost, // the server ends or starts, or ends the session
}

// Answer is an error of a PostgreSQL server. The driver's own type also has the values of the row
// that it is about.
type Answer struct{ State, Message string }

func (e *Answer) Error() string { return "Error " + e.State + ": " + e.Message }

// lastAttempt is the error that decides: unless dboptions ssl demands TLS, the driver connects again
// without it.
func lastAttempt(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if attempts := joined.Unwrap(); len(attempts) > 0 {
			return attempts[len(attempts)-1]
		}
	}
	return err
}

// isOtherServer recognises answers that are not in PostgreSQL's protocol, such as the greeting with
// which MariaDB and MySQL begin: the driver takes its length for the type of a message.
func isOtherServer(err error) bool {
	if errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return slices.ContainsFunc([]string{"received unexpected message", "failed to receive message", "first record does not look like a TLS handshake"},
		func(text string) bool { return strings.Contains(err.Error(), text) })
}

func faultOfPostgreSQL(err error) (Fault, error) {
	var theirs *pgconn.PgError
	var answer *Answer
	fatal := false
	if errors.As(err, &theirs) {
		answer = &Answer{theirs.Code, theirs.Message}
		fatal = theirs.SeverityUnlocalized == "FATAL" || theirs.Severity == "FATAL"
	}
	if answer != nil || errors.As(err, &answer) {
		if fault, known := postgreSQLFaults[answer.State]; known {
			return fault, answer
		}
		if fatal {
			return Refused, answer
		}
		return Answered, answer
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		err = lastAttempt(connect.Unwrap()) // the configuration, which has the password, is left out
		switch {
		case isOtherServer(err):
			return OtherServer, err
		case strings.Contains(err.Error(), "server refused TLS connection"):
			return NoTLS, err
		}
	}
	for _, lost := range []error{pgconn.ErrConnClosed, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn} {
		if errors.Is(err, lost) {
			return Lost, err
		}
	}
	return None, err
}
