package moodledb

import (
	"context"
	"fmt"
)

// smallestPacket is the maximum size of a statement with a history of the largest keys, in bytes. A
// server that receives a larger packet than it allows closes the connection, often before its error
// can be read.
const smallestPacket = 64 << 10

// CheckRights finds out before any change whether the renewal will be allowed to write. It lets the
// server prepare the statements, which checks table and rights, and runs none. SHOW GRANTS would
// not be enough: it names patterns and roles, and they would have to be resolved as the server
// does.
//
// FOR UPDATE without a row makes a proxy ask the server that is written to.
//
// A read-only server is refused whatever rights the account has: it is a replica. So is a server
// that accepts only tiny statements.
func (t *Tenant) CheckRights(ctx context.Context) error {
	const op = "check rights"
	for _, query := range []string{
		"SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name = ? FOR UPDATE",
		"INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', ?, ?)",
		"UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = ?",
		"UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ?",
	} {
		if err := t.mayRun(ctx, query); err != nil {
			return t.explain(op, err)
		}
	}
	var readOnly string
	var packet int64
	if err := t.db.QueryRowContext(ctx, "SELECT @@global.read_only, @@max_allowed_packet FOR UPDATE").Scan(&readOnly, &packet); err != nil {
		return t.explain(op, err)
	}
	if readOnly != "0" && readOnly != "OFF" {
		return &AccessError{Server: server(t.config), Problem: "the server is read-only", Advice: hintReplica}
	}
	if packet < smallestPacket {
		return &AccessError{Server: server(t.config), Advice: hintPacket,
			Problem: fmt.Sprintf("the server takes statements of %d bytes only (max_allowed_packet)", packet)}
	}
	return nil
}

// mayRun lets the server prepare a statement, which is not run.
func (t *Tenant) mayRun(ctx context.Context, query string) error {
	statement, err := t.db.PrepareContext(ctx, t.sql(query))
	if err != nil {
		return err
	}
	defer func() { _ = statement.Close() }() // the server does not answer it
	return nil
}
