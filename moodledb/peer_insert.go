package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxHostName is the width of mnet_host.name in characters.
const maxHostName = 80

// insertHost makes a row of mnet_host. Its columns depend on Moodle's version: columns that do not
// exist are left out, and columns that need a value and have no default, which would be an error in
// strict mode, are filled. With h.ID 0 the database chooses the id; another id is used even if a
// table has lost its AUTO_INCREMENT. h.applicationID 0 is Moodle.
func (t *Tenant) insertHost(ctx context.Context, tx *sql.Tx, h host) (int64, error) {
	columns, err := t.hostColumns(ctx, tx)
	if err != nil {
		return 0, err
	}
	if h.applicationID == 0 {
		applications, err := t.applications(ctx, tx)
		if err != nil {
			return 0, err
		}
		h.applicationID = moodleID(applications)
	}
	known := map[string]any{
		"wwwroot": h.Wwwroot, "ip_address": h.IPAddress, "name": cutName(h.Name),
		"public_key": h.Certificate, "public_key_expires": h.Expires,
		"applicationid": h.applicationID, "sslverification": h.SSLVerification,
		"deleted": 0, "last_connect_time": 0, "last_log_id": 0,
	}
	if h.ID != 0 {
		known["id"] = h.ID
	}
	var names, marks []string
	var values []any
	for _, c := range columns {
		value, ok := known[c.name]
		switch {
		case ok && c.narrow:
			value = threeByte(value)
		case ok:
		case c.required:
			value = c.zero()
		default:
			continue
		}
		names, marks, values = append(names, "`"+c.name+"`"), append(marks, "?"), append(values, value)
	}
	const op = "insert a row of mnet_host"
	id, err := t.insert(ctx, tx, op, "INSERT INTO {mnet_host} ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", values...)
	switch {
	case err != nil:
		return 0, err
	case h.ID != 0:
		return h.ID, nil
	case id == 0: // as mnet_localhost_id it would name no row
		return 0, errors.New(op + ": the server does not say its id")
	}
	return id, nil
}

// hostColumn is a column of mnet_host in this database.
type hostColumn struct {
	name, kind string
	required   bool // NOT NULL without default
	narrow     bool // its character set ends at three bytes (utf8), as before Moodle 3.1
}

func (c hostColumn) zero() any {
	if strings.Contains(c.kind, "char") || strings.Contains(c.kind, "text") {
		return ""
	}
	return 0
}

func (t *Tenant) hostColumns(ctx context.Context, tx *sql.Tx) ([]hostColumn, error) {
	const op = "read the columns of mnet_host"
	rows, err := tx.QueryContext(ctx, t.sql("SHOW FULL COLUMNS FROM {mnet_host}"))
	if err != nil {
		return nil, t.explain(op, err)
	}
	defer func() { _ = rows.Close() }()
	var columns []hostColumn
	for rows.Next() {
		var name, kind, null, key, extra, privileges, comment string
		var collation, byDefault sql.NullString
		if err := rows.Scan(&name, &kind, &collation, &null, &key, &byDefault, &extra, &privileges, &comment); err != nil {
			return nil, t.explain(op, err)
		}
		columns = append(columns, hostColumn{
			name:     strings.ToLower(name),
			kind:     strings.ToLower(kind),
			required: null == "NO" && !byDefault.Valid && !strings.Contains(strings.ToLower(extra), "auto_increment"),
			narrow:   collation.Valid && !strings.HasPrefix(collation.String, "utf8mb4"),
		})
	}
	if err := rows.Err(); err != nil {
		return nil, t.explain(op, err)
	}
	return columns, nil
}

func cutName(name string) string {
	if runes := []rune(name); len(runes) > maxHostName {
		return string(runes[:maxHostName])
	}
	return name
}

// threeByte replaces what a column of three-byte utf8 cannot store: an emoji in a site's title is
// no reason to fail.
func threeByte(value any) any {
	text, ok := value.(string)
	if !ok {
		return value
	}
	return strings.Map(func(r rune) rune {
		if utf8.RuneLen(r) > 3 {
			return utf8.RuneError
		}
		return r
	}, text)
}
