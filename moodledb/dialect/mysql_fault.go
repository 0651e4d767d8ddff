package dialect

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mySQLFaults are the error numbers of MySQL and MariaDB on which the code decides.
var mySQLFaults = map[uint16]Fault{
	1020: Conflict, // the record has changed since the snapshot (MariaDB, innodb_snapshot_isolation)
	1021: NoRoom,   // disk full
	1040: NoConnection,
	1044: NoDatabase, // no right on the database
	1045: Login,
	1049: NoDatabase,
	1054: NoColumn,
	1064: Syntax,
	1114: NoRoom, // table full
	1129: HostBlocked,
	1130: LoginHost,
	1142: NoRight, // on a table
	1143: NoRight, // on a column
	1146: NoTable,
	1153: TooLarge,
	1203: NoConnection, // of this account
	1205: Conflict,     // waited too long for a lock
	1213: Conflict,     // deadlock
	1226: AccountLimit, // an hour, unless it is max_user_connections
	1227: NoRight,      // a privilege of the server
	1251: LoginMethod,
	1290: ReadOnly,
	1524: LoginMethod, // its plugin is not loaded
	1698: Login,       // by a plugin
	1792: ReadOnly,    // transaction
	1820: PasswordExpired,
	1836: ReadOnly, // mode
	1862: PasswordExpired,
	3118: AccountLocked, // MySQL
	3159: NeedsTLS,
	3955: AccountLocked, // MySQL: after too many wrong passwords
	4151: AccountLocked, // MariaDB
}

func faultOfMySQL(err error) (Fault, error) {
	var answer *mysql.MySQLError
	switch {
	case errors.As(err, &answer):
		fault, known := mySQLFaults[answer.Number]
		if fault == AccountLimit && strings.Contains(answer.Message, "'max_user_connections'") { // the message quotes the name untranslated
			fault = NoConnection
		}
		if known {
			return fault, answer
		}
		if refusesLocks(answer) {
			return NoLocks, answer
		}
		return Answered, answer
	case errors.Is(err, mysql.ErrNoTLS):
		return NoTLS, err
	case errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrUnknownPlugin), errors.Is(err, mysql.ErrCleartextPassword):
		return LoginMethod, err
	case errors.Is(err, mysql.ErrInvalidConn):
		return Lost, err
	}
	return None, err
}

// refusesLocks recognises the answers of clusters in which GET_LOCK is forbidden. Both numbers also
// stand for other errors, so the text decides:
//
//   - Percona XtraDB Cluster, error 1105: "Percona-XtraDB-Cluster prohibits use of GET_LOCK with
//     pxc_strict_mode = ENFORCING"
//   - MariaDB Galera Cluster 10.4.29, 10.5.20, 10.6.13, 10.11.3 and others (MDEV-30473; withdrawn by
//     MDEV-31325), error 1235: "This version of MariaDB doesn't yet support 'GET_LOCK in cluster
//     (WSREP_ON=ON)'"
func refusesLocks(answer *mysql.MySQLError) bool {
	cluster := map[uint16]string{1105: "pxc_strict_mode", 1235: "WSREP_ON"}[answer.Number]
	return cluster != "" && strings.Contains(answer.Message, "GET_LOCK") && strings.Contains(answer.Message, cluster)
}
