package moodledb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"renew_mnetkeys/moodledb/config"
)

// Error numbers of MySQL and MariaDB on which the code decides.
const (
	errRecordChanged       = 1020
	errDiskFull            = 1021
	errTooManyConnections  = 1040
	errNoRightOnDatabase   = 1044
	errAccessDenied        = 1045
	errUnknownDatabase     = 1049
	errUnknownColumn       = 1054
	errParse               = 1064
	errTableFull           = 1114
	errHostNotAllowed      = 1130
	errNoRightOnTable      = 1142
	errNoRightOnColumn     = 1143
	errNoSuchTable         = 1146
	errPacketTooLarge      = 1153
	errUserConnections     = 1203
	errLockWaitTimeout     = 1205
	errDeadlock            = 1213
	errMissingPrivilege    = 1227
	errReadOnlyServer      = 1290
	errAccessDeniedPlugin  = 1698
	errReadOnlyTransaction = 1792
	errReadOnlyMode        = 1836
)

const (
	hintReplica = "is it a replica? dbhost must be the primary"
	hintPacket  = "raise the server's max_allowed_packet to 16M or more, which Moodle itself needs"
)

// isNumber says whether err is an answer of the server with one of the numbers.
func isNumber(err error, numbers ...uint16) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && slices.Contains(numbers, answer.Number)
}

// isAnswer says whether err shows that the server is up: it answered, or the driver refused what it
// offered. Another tenant's account or dboptions may succeed.
func isAnswer(err error) bool {
	return errors.As(err, new(*mysql.MySQLError)) || wantsOldPassword(err) ||
		errors.Is(err, mysql.ErrNoTLS) || errors.As(err, new(*tls.CertificateVerificationError))
}

// wantsOldPassword says whether the server asked for the password in a way that the driver does not
// answer.
func wantsOldPassword(err error) bool {
	return errors.Is(err, mysql.ErrOldPassword) || errors.Is(err, mysql.ErrUnknownPlugin) || errors.Is(err, mysql.ErrCleartextPassword)
}

// explain says what was being done, and turns an error of the driver into one of this package if
// there is a matching one.
func (t *Tenant) explain(op string, err error) error {
	return fmt.Errorf("%s: %w", op, explain(t.config, err))
}

func explain(c *config.Config, err error) error {
	var answer *mysql.MySQLError
	if errors.As(err, &answer) {
		return explainAnswer(c, answer)
	}
	// The run has ended: nothing is wrong with the database. This is not errors.Is, for which a
	// network timeout is a deadline as well.
	if slices.Contains([]error{context.Canceled, context.DeadlineExceeded}, err) {
		return err
	}
	if problem, hint := networkProblem(c, err); problem != "" {
		return &AccessError{Server: server(c), Problem: problem, Advice: hint, Err: err}
	}
	return err
}

// explainAnswer decides by the number. It shows a message only if the server makes it from names
// alone.
func explainAnswer(c *config.Config, answer *mysql.MySQLError) error {
	access := func(hint string) error {
		return &AccessError{Server: server(c), Problem: answer.Error(), Advice: hint, Err: answer}
	}
	switch answer.Number {
	case errAccessDenied, errAccessDeniedPlugin:
		if network, _, _ := c.Endpoint(); network == "unix" {
			return access("check dbuser and dbpass (of a tenant: vdblogin and vdbpass in VMoodle's register); the account may be one that only its own system user may use: run as that user")
		}
		return access("check dbuser and dbpass (of a tenant: vdblogin and vdbpass in VMoodle's register), and that the account may connect from this machine")
	case errHostNotAllowed:
		return access("the account may not connect from this machine: run where the web server runs")
	case errNoRightOnDatabase, errUnknownDatabase:
		return access("check dbname, and that the account has rights on it")
	case errTooManyConnections, errUserConnections:
		return access("the server has no connection left: try again later")
	case errDiskFull, errTableFull:
		return access("the server has no room left: make some, then run again; nothing was changed")
	case errPacketTooLarge:
		return access(hintPacket)
	case errNoRightOnTable, errNoRightOnColumn, errMissingPrivilege:
		return access("the account needs SELECT, INSERT and UPDATE on Moodle's tables")
	case errReadOnlyServer, errReadOnlyMode, errReadOnlyTransaction:
		return access(hintReplica)
	case errNoSuchTable:
		return &MissingTableError{Server: server(c), Prefix: c.Prefix, Err: answer,
			Advice: fmt.Sprintf("check dbname and prefix (%q): is this Moodle's database?", c.Prefix)}
	case errParse:
		// The server quotes the statement, which may contain a private key.
		return fmt.Errorf("error %d: the server does not understand the statement", answer.Number)
	default:
		return answer
	}
}

// networkProblem names what the C client calls 2002, 2003, 2005, 2013 and 2026. It is "" for any
// other error.
func networkProblem(c *config.Config, err error) (problem, hint string) {
	var dns *net.DNSError
	var verification *tls.CertificateVerificationError
	var timeout net.Error
	var unknownAuthority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "the socket is not readable for this user: run as the web server's user (sudo -u www-data)"
	case errors.Is(err, fs.ErrNotExist):
		return "no such socket", "check that the database server is running; set dboptions dbsocket to its socket, or dbhost to 127.0.0.1 for TCP"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "check that the database server is running, and dbport"
	case errors.As(err, &dns):
		return "the host name does not resolve", "check dbhost"
	case errors.Is(err, mysql.ErrNoTLS):
		return "the server does not offer TLS", "dboptions ssl demands it"
	case errors.As(err, &verification), errors.As(err, &unknownAuthority):
		return err.Error(), "dboptions ssl is verify-full: the system must trust the server's certificate"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time", "is dbhost right, and no firewall between?"
	case errors.Is(err, mysql.ErrInvalidConn), errors.As(err, new(*net.OpError)):
		return "the connection was lost", ""
	case wantsOldPassword(err):
		return err.Error(), "the account needs a password of a current kind"
	}
	return "", ""
}
