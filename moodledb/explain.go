package moodledb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
)

// is says whether an error has one of the faults.
func is(err error, faults ...dialect.Fault) bool {
	fault, _ := dialect.FaultOf(err)
	return slices.Contains(faults, fault)
}

// isAnswer says whether err shows that the server is up.
func isAnswer(err error) bool {
	fault, _ := dialect.FaultOf(err)
	return fault.IsAnswer()
}

// explain says what was being done, and turns an error of the driver into one of this package if
// there is a matching one.
func (t *Tenant) explain(op string, err error) error {
	return fmt.Errorf("%s: %w", op, explain(t.config, err))
}

// explain decides by the fault. It shows what the server says, unless that quotes the statement.
func explain(c *config.Config, err error) error {
	fault, answer := dialect.FaultOf(err)
	access := func(problem, hint string) error {
		for _, name := range []string{"dbtype", "dbhost", "dbname", "dbuser", "dbpass"} {
			hint = strings.ReplaceAll(hint, "{"+name+"}", c.Settings(name))
		}
		return &AccessError{Server: server(c), Problem: problem, Advice: hint, Err: answer}
	}
	switch fault {
	case dialect.NoTable:
		return &MissingTableError{Server: server(c), Prefix: c.Prefix, Err: answer,
			Advice: fmt.Sprintf("check %s (the prefix is %q): is this Moodle's database?", c.Settings("dbname", "prefix"), c.Prefix)}
	case dialect.Syntax:
		// The statement may contain a private key.
		return errors.New("the server does not understand the statement")
	case dialect.Login:
		return access(answer.Error(), loginHint(c))
	case dialect.NoLocks:
		return &NoLocksError{Server: server(c), Err: answer}
	case dialect.Ended:
		if errors.Is(answer, context.DeadlineExceeded) {
			return &unansweredError{server(c)}
		}
		return answer
	case dialect.NoTLS:
		return access("the server does not offer TLS", "dboptions ssl demands it. If another kind of database server is there, correct {dbtype}")
	case dialect.OtherServer:
		return access("the server does not answer as PostgreSQL", "correct {dbtype}. If it is right, check {dbhost} and the port")
	case dialect.None, dialect.Lost:
		if problem, hint := networkProblem(c, answer); problem != "" {
			return access(problem, hint)
		}
		if errors.As(answer, new(*dialect.Answer)) {
			return access(answer.Error(), "the server starts or stops, or has ended the connection: try again in a minute")
		}
		if fault == dialect.Lost {
			return access("the connection was lost", hintLost)
		}
		return answer
	}
	return access(answer.Error(), cmp.Or(hints[fault], "the server refuses: its message says why, and its log may say more"))
}

// hintLost is for a server, or something in front of it, that takes connections and ends them, or
// does not answer: the drivers do not say which.
const hintLost = "the log of the database server may say why it ended the connection or did not answer. If no connection succeeds, check {dbhost}, {dbtype} and the port"

// unansweredError is a server that has not answered when the deadline of a statement or of the run
// passed. That may have been soon, and the server in order: so this is no [*AccessError].
type unansweredError struct{ server string }

func (e *unansweredError) Error() string { return e.server + ": no answer in time" }
func (e *unansweredError) Unwrap() error { return context.DeadlineExceeded }

// hints are what to do about faults, if there is more to say than what the server's message says.
// A setting in braces is named as the operator of this database knows it.
var hints = map[dialect.Fault]string{
	dialect.LoginHost:       "the account may not connect from this machine: run where the web server runs",
	dialect.Refused:         "the server, or a connection pooler in front of it, refuses: check the name of the database, the account and its password",
	dialect.LoginMethod:     "the account needs a password of a current kind",
	dialect.HostBlocked:     "too many connections from this machine have failed, and the server lets none in now. On the server, use mariadb-admin flush-hosts (MariaDB), or mysqladmin flush-hosts or TRUNCATE TABLE performance_schema.host_cache (MySQL)",
	dialect.AccountLocked:   "unlock the account on the server (ALTER USER … ACCOUNT UNLOCK), or find out who has locked it and why",
	dialect.PasswordExpired: "give the account a new password on the server, and write it as {dbpass}",
	dialect.AccountLimit:    "the account has used up what it may use in an hour: raise its limits on the server (ALTER USER … WITH), or wait an hour",
	dialect.NeedsTLS:        "set $CFG->dboptions['ssl'] to require",
	dialect.Conflict:        "other transactions are in the way: try again later",
	dialect.NoDatabase:      "check {dbname} and {dbuser}, and that the account has rights on this database",
	dialect.NoConnection:    "the server, or this account or database, has no connection left: raise the limit (max_connections, MAX_USER_CONNECTIONS of the account, on PostgreSQL CONNECTION LIMIT), or try again later",
	dialect.NoRoom:          "make room on the database server: it has none left",
	dialect.TooLarge:        "raise the server's max_allowed_packet to 16M or more, which Moodle itself needs",
	dialect.NoRight:         "the account needs SELECT, INSERT and UPDATE on Moodle's tables, and on PostgreSQL CONNECT on the database",
	dialect.ReadOnly:        "the server is read-only, perhaps a replica: {dbhost} must name the primary server",
	dialect.Untrusted:       "dboptions ssl is verify-full: the system must trust the server's certificate",
}

func loginHint(c *config.Config) string {
	hint := "check " + c.Settings("dbuser", "dbpass")
	if network, _, _ := c.Endpoint(); network == "unix" {
		return hint + "; the account may be one that only its own system user may use: run as that user"
	}
	return hint + ". The account must also be allowed to log in, and to do so from this machine"
}

// networkProblem names what MySQL's C client calls 2002, 2003, 2005 and 2013. It is "" for any
// other error.
func networkProblem(c *config.Config, err error) (problem, hint string) {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "the socket is not readable for this user: run as the web server's user (sudo -u www-data)"
	case errors.Is(err, fs.ErrNotExist) && c.DBHost == "":
		return "no such socket", "{dbhost} is empty, which means a socket: write the host there. If the socket is right, check that the database server is running"
	case errors.Is(err, fs.ErrNotExist):
		return "no such socket", "check that the database server is running and where its socket is (dboptions dbsocket), or use TCP: 127.0.0.1 as {dbhost}, without dbsocket"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "check that the database server is running, {dbhost} and the port"
	case errors.As(err, &dns):
		return "the host name does not resolve", "check {dbhost}"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time", "check {dbhost}, and that no firewall is between. Another kind of database server does not answer either: check {dbtype}"
	case errors.As(err, new(*net.OpError)):
		return "the connection was lost", hintLost
	}
	return "", ""
}
