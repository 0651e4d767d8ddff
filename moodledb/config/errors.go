package config

import "fmt"

// Error is a configuration that cannot be used. File and Line say where, Setting which, Advice what
// to do. None shows a value of the file.
type Error struct {
	File    string
	Line    int    // 0: no certain line
	Setting string // as in config.php without $CFG->, "" if it is about the file
	Problem string
	Advice  string
	Err     error // cause, may be nil
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if place != "" {
		place += ": "
	}
	if e.Setting != "" {
		return place + "$CFG->" + e.Setting + " " + e.Problem
	}
	return place + e.Problem
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *Error) Hint() string { return e.Advice }

// UnsupportedDBError is a $CFG->dbtype that is neither MySQL nor PostgreSQL: sqlsrv, oci.
type UnsupportedDBError struct{ DBType string }

func (e *UnsupportedDBError) Error() string {
	return fmt.Sprintf("dbtype %q is not supported: use MySQL (mysqli, mariadb, auroramysql) or PostgreSQL (pgsql)", e.DBType)
}
