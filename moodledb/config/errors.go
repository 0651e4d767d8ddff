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

// RowError is a row of VMoodle's register with a value that cannot be used.
type RowError struct {
	Table, Database string
	ID              int64
	Column, Value   string // Value "": it is empty, or not shown
	Problem         string
	Advice          string // what to write instead, "" if the problem says it
	Err             error
}

func (e *RowError) Error() string {
	value := ""
	if e.Value != "" {
		value = fmt.Sprintf(" %q", e.Value)
	}
	return fmt.Sprintf("row %d of VMoodle's register (table %s of database %s): %s%s %s", e.ID, e.Table, e.Database, e.Column, value, e.Problem)
}

func (e *RowError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *RowError) Hint() string {
	advice := e.Advice
	if advice != "" {
		advice = ": " + advice
	}
	return fmt.Sprintf("correct %s of that row in VMoodle's administration, or by SQL%s. If the tenant is gone, set enabled = 0 there", e.Column, advice)
}

// UnsupportedDBError is a $CFG->dbtype that is neither MySQL nor PostgreSQL: sqlsrv, oci.
type UnsupportedDBError struct{ DBType string }

func (e *UnsupportedDBError) Error() string {
	return fmt.Sprintf("dbtype %q is not supported: use MySQL (mysqli, mariadb, auroramysql) or PostgreSQL (pgsql)", e.DBType)
}
