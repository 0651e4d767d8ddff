package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode/utf8"

	"renew_mnetkeys/moodledb/dialect"
)

// maxHostName is the width of mnet_host.name in characters.
const maxHostName = 80

// insertHost makes a row of mnet_host. Its columns depend on Moodle's version: columns that do not
// exist are left out, and columns that need a value and have no default, which would be an error in
// strict mode, are filled. With h.ID 0 the database chooses the id; another id is used even if a
// table has lost its AUTO_INCREMENT. h.applicationID 0 is Moodle.
func (t *Tenant) insertHost(ctx context.Context, tx *sql.Tx, h host) (int64, error) {
	columns, err := t.dialect.Columns(ctx, tx, t.sql("{mnet_host}"))
	if err != nil {
		return 0, t.explain("read the columns of mnet_host", err)
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
		value, ok := known[c.Name]
		switch {
		case ok && c.Narrow:
			value = threeByte(value)
		case ok:
		case c.Required:
			value = zero(c)
		default:
			continue
		}
		names, marks, values = append(names, t.dialect.Quote(c.Name)), append(marks, "?"), append(values, value)
	}
	const op = "insert a row of mnet_host"
	id, err := t.insert(ctx, tx, op, "INSERT INTO {mnet_host} ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", values...)
	switch {
	case err != nil:
		return 0, err
	case h.ID != 0:
		if err := t.dialect.Inserted(ctx, tx, t.sql("{mnet_host}"), h.ID); err != nil {
			return 0, t.explain(op, err)
		}
		return h.ID, nil
	case id == 0: // as mnet_localhost_id it would name no row
		return 0, errors.New(op + ": the server does not say its id")
	}
	return id, nil
}

// zero is a value for a column that must have one.
func zero(c dialect.Column) any {
	if strings.Contains(c.Kind, "char") || strings.Contains(c.Kind, "text") {
		return ""
	}
	return 0
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
