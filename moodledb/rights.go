package moodledb

import "context"

// CheckRights finds out before anything is changed whether the renewal will be allowed to write. It has the server prepare the
// statements, which checks table and rights, and runs none. SHOW GRANTS would not do: it names patterns and roles, and needs
// them to be resolved the way the server does.
//
// A read-only server is refused whatever rights the account has: it is a replica.
func (t *Tenant) CheckRights(ctx context.Context) error {
	const doing = "check rights"
	for _, query := range []string{
		"SELECT name, value FROM {config_plugins} WHERE plugin = 'mnet' AND name = ? FOR UPDATE",
		"INSERT INTO {config_plugins} (plugin, name, value) VALUES ('mnet', ?, ?)",
		"UPDATE {config_plugins} SET value = ? WHERE plugin = 'mnet' AND name = ?",
		"UPDATE {mnet_host} SET public_key = ?, public_key_expires = ?, wwwroot = ? WHERE id = ?",
	} {
		statement, err := t.db.PrepareContext(ctx, t.sql(query))
		if err != nil {
			return t.explain(doing, err)
		}
		if err := statement.Close(); err != nil {
			return t.explain(doing, err)
		}
	}
	var readOnly string
	if err := t.db.QueryRowContext(ctx, "SELECT @@global.read_only").Scan(&readOnly); err != nil {
		return t.explain(doing, err)
	}
	if readOnly != "0" && readOnly != "OFF" {
		return &AccessError{Server: server(t.config), Problem: "the server is read-only", Hint: hintReplica}
	}
	return nil
}
