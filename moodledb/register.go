package moodledb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
)

// Register says where the register of a VMoodle array is: the vmaster* settings, with the credentials that hold for all tenants.
// It prints without its passwords.
type Register struct {
	DBType, DBHost, DBName, DBUser, DBPass string
	Prefix                                 string // validated like Config.Prefix
	TenantUser, TenantPass                 string // vchildsdblogin and vchildsdbpass: over the row's credentials; "" when not set
}

// RegisterRow is a tenant in the register (table local_vmoodle of the master). It prints without its password.
type RegisterRow struct {
	Wwwroot string // vhostname, no trailing slash
	Name    string
	MNet    int // -1 without MNet, 0 unbound, else the number of its sub-network
	Enabled bool

	dbtype, dbhost, dbuser, dbpass, dbname, prefix, dataroot string
}

// Format shows which database, never a password.
func (r Register) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "register in database %s, prefix %s", r.DBName, r.Prefix)
}

// MarshalJSON writes what Format prints.
func (r Register) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// Format shows which tenant, never a password.
func (r RegisterRow) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "tenant %s (%s, mnet %d, enabled %t)", r.Wwwroot, r.Name, r.MNet, r.Enabled)
}

// MarshalJSON writes what Format prints.
func (r RegisterRow) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// register reads the vmaster* settings; nil when there are none, or empty ones as vconfig-dist.php has them.
func (s *settings) register() (*Register, error) {
	if s.value("vmasterdbname").Text() == "" {
		return nil, nil
	}
	r := &Register{}
	if err := s.fill(field{"vmasterdbtype", &r.DBType, false}, field{"vmasterdbhost", &r.DBHost, false}, field{"vmasterdbname", &r.DBName, false},
		field{"vmasterdblogin", &r.DBUser, false}, field{"vmasterdbpass", &r.DBPass, false}, field{"vmasterprefix", &r.Prefix, false},
		field{"vchildsdblogin", &r.TenantUser, false}, field{"vchildsdbpass", &r.TenantPass, false}); err != nil {
		return nil, err
	}
	if err := checkPrefix("vmasterprefix", r.Prefix); err != nil {
		return nil, s.at("vmasterprefix", err)
	}
	return r, nil
}

// registerConfig is the database of the register. VMoodle connects there without dboptions; ours hold where the host is config.php's own,
// since then it is the same server, and everywhere for TLS.
func (c *Config) registerConfig() *Config {
	r, m := c.Register, *c
	if !strings.EqualFold(withoutPersistence(r.DBHost), withoutPersistence(c.DBHost)) {
		m.DBPort, m.DBSocket = 0, ""
	}
	m.DBType, m.DBHost, m.DBName, m.DBUser, m.DBPass, m.Prefix = r.DBType, r.DBHost, r.DBName, r.DBUser, r.DBPass, r.Prefix
	if m.DBType == "" {
		m.DBType = "mysqli"
	}
	return &m
}

// Tenants reads the register, disabled tenants too, ordered by wwwroot. The master is not in it. Errors are those of [Config.Tenant].
func (c *Config) Tenants(ctx context.Context) ([]RegisterRow, error) {
	if c.Register == nil {
		return nil, &UnknownTenantError{Problem: c.File + " configures no VMoodle array", hint: hintNoArray}
	}
	m := c.registerConfig()
	if err := supported(m.DBType); err != nil {
		return nil, fmt.Errorf("open the register of tenants: %w", err)
	}
	db, err := connect(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("open the register of tenants: %w", err)
	}
	defer func() { _ = db.Close() }()
	rows, err := readRegister(ctx, db, m.Prefix)
	if err != nil {
		if isNumber(err, errNoSuchTable) {
			return nil, &UnknownTenantError{Problem: "the register of tenants, table " + m.Prefix + "local_vmoodle of database " + m.DBName + ", does not exist",
				hint: "check vmasterdbname and vmasterprefix, and that local_vmoodle is installed there", Err: err}
		}
		return nil, fmt.Errorf("read the register of tenants: %w", explain(m, err))
	}
	return rows, nil
}

// readRegister reads all rows: an array has at most some hundred.
func readRegister(ctx context.Context, db *sql.DB, prefix string) ([]RegisterRow, error) {
	rows, err := db.QueryContext(ctx, "SELECT vhostname, name, mnet, enabled, vdbtype, vdbhost, vdblogin, vdbpass, vdbname, vdbprefix, vdatapath FROM `"+
		prefix+"local_vmoodle` WHERE vhostname <> '' ORDER BY vhostname, id")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []RegisterRow
	for rows.Next() {
		var r RegisterRow
		var wwwroot, name, dbtype, dbhost, dbuser, dbpass, dbname, prefix, dataroot sql.NullString
		var mnet, enabled sql.NullInt64
		if err := rows.Scan(&wwwroot, &name, &mnet, &enabled, &dbtype, &dbhost, &dbuser, &dbpass, &dbname, &prefix, &dataroot); err != nil {
			return nil, err
		}
		r = RegisterRow{
			Wwwroot: strings.TrimSuffix(wwwroot.String, "/"), Name: name.String, MNet: int(mnet.Int64), Enabled: enabled.Int64 != 0,
			dbtype: dbtype.String, dbhost: dbhost.String, dbuser: dbuser.String, dbpass: dbpass.String, dbname: dbname.String,
			prefix: prefix.String, dataroot: dataroot.String,
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
