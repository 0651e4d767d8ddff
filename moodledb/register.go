package moodledb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
)

// RegisterRow is a tenant in the register (table local_vmoodle of the master). It prints as
// TenantRow does, without its password.
type RegisterRow struct {
	config.TenantRow
	Name    string
	MNet    int // -1 without MNet, 0 unbound, otherwise the number of its sub-network
	Enabled bool
}

// Tenants reads the register of master's array, disabled tenants too, ordered by wwwroot. The
// master is not in it. Errors are those of [FindTenant].
func Tenants(ctx context.Context, master *config.Config) ([]RegisterRow, error) {
	if master.Register == nil {
		return nil, noArray(master, "run: renew_mnetkeys … without --all", "", master.File+" configures no VMoodle array (--all)")
	}
	m := master.OfRegister()
	db, err := connect(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("open the register of tenants: %w", err)
	}
	defer func() { _ = db.Close() }()
	rows, err := readRegister(ctx, db, m)
	if err != nil {
		if is(err, dialect.NoTable) {
			return nil, &UnknownTenantError{Problem: "the register of tenants, table " + m.Prefix + "local_vmoodle of database " + m.DBName + ", does not exist",
				hint: "check vmasterdbname and vmasterprefix, and that local_vmoodle is installed there", Err: err}
		}
		return nil, fmt.Errorf("read the register of tenants: %w", explain(m, err))
	}
	return rows, nil
}

// readRegister reads all rows: an array has at most some hundred.
func readRegister(ctx context.Context, db *sql.DB, c *config.Config) ([]RegisterRow, error) {
	d, _ := c.Dialect()
	rows, err := db.QueryContext(ctx, d.SQL(c.Names(), "SELECT id, vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath "+
		"FROM {local_vmoodle} WHERE vhostname <> '' OR vhostname = '' AND enabled <> 0 AND vdbname <> '' ORDER BY vhostname, id"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []RegisterRow
	for rows.Next() {
		var wwwroot, name, dbtype, dbhost, dbuser, dbpass, dbname, prefix, dataroot sql.NullString
		var mnet, enabled sql.NullInt64
		var id int64
		if err := rows.Scan(&id, &wwwroot, &name, &mnet, &enabled, &dbtype, &dbhost, &dbuser, &dbpass, &dbname, &prefix, &dataroot); err != nil {
			return nil, err
		}
		if wwwroot.String == "" { // a tenant would expire unseen; without a vhostname (NULL) it is a template
			wwwroot.String = config.NoWwwroot(id)
		}
		all = append(all, RegisterRow{Name: name.String, MNet: int(mnet.Int64), Enabled: enabled.Int64 != 0, TenantRow: config.TenantRow{
			ID: id, Wwwroot: strings.TrimSuffix(wwwroot.String, "/"), DBType: dbtype.String, DBHost: dbhost.String, DBUser: dbuser.String,
			DBPass: dbpass.String, DBName: dbname.String, Prefix: prefix.String, Dataroot: dataroot.String,
		}})
	}
	return all, rows.Err()
}
