package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"renew_mnetkeys/moodledb/dialect"
)

// Register says where the register of a VMoodle array is: the vmaster* settings, with the
// credentials that apply to all tenants. It prints without its passwords.
type Register struct {
	DBType, DBHost, DBName, DBUser, DBPass string
	Prefix                                 string // validated like Config.Prefix
	TenantUser, TenantPass                 string // vchildsdblogin and vchildsdbpass: override the row's credentials; "" when not set
}

// TenantRow is what the tenant's row in the register says instead of config.php. It prints without
// its password.
type TenantRow struct {
	ID                                             int64
	Wwwroot                                        string // vhostname, no trailing slash
	DBType, DBHost, DBName, DBUser, DBPass, Prefix string
	Dataroot                                       string // vdatapath
}

// Format shows which database, never a password.
func (r Register) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "register in database %s, prefix %s", r.DBName, r.Prefix)
}

// MarshalJSON writes what Format prints.
func (r Register) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// Format shows which tenant, never a password.
func (r TenantRow) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "row of tenant %s (database %s, prefix %s)", r.Wwwroot, r.DBName, r.Prefix)
}

// MarshalJSON writes what Format prints.
func (r TenantRow) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(r)) }

// register reads the vmaster* settings; nil if there are none, or empty ones as in
// vconfig-dist.php.
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

// OfRegister is the configuration of the database that contains the register; there must be a
// Register. VMoodle connects there without dboptions. This tool uses config.php's dboptions if the
// host is config.php's own, since then it is the same server; it always uses those about TLS.
func (c *Config) OfRegister() *Config {
	r, m := c.Register, *c
	m.DBType, m.DBHost, m.DBName, m.DBUser, m.DBPass, m.Prefix = r.DBType, r.DBHost, r.DBName, r.DBUser, r.DBPass, r.Prefix
	if m.DBType == "" {
		m.DBType = "mysqli"
	}
	m.DBType = ofRegister(m.DBType)
	m.source = fromMaster
	theirs, _ := m.Dialect()
	if ours, _ := c.Dialect(); theirs != ours || !dialect.SameHost(r.DBHost, c.DBHost) {
		m.DBPort, m.DBSocket = 0, ""
	}
	return &m
}

// ofRegister is the $CFG->dbtype for a type in VMoodle's register, which has a name of its own for
// PostgreSQL (local/vmoodle/bootlib.php).
func ofRegister(dbtype string) string {
	if dbtype == "postgres" {
		return "pgsql"
	}
	return dbtype
}

// ForTenant is the configuration of the tenant of a row, enabled or not: config.php read again with
// the values of the row, as VMoodle does (local/vmoodle/bootlib.php, vmoodle_feed_config); there
// must be a Register. It makes no query, so that a whole array is resolved at the price of one, at
// half a millisecond per tenant. If only PHP can evaluate what the register does not say, it runs
// one PHP per tenant. Errors are an *Error or an *UnsupportedDBError, in a *RowError if a value of
// the row is the cause.
func (c *Config) ForTenant(ctx context.Context, row TenantRow) (*Config, error) {
	r := c.Register
	values := map[string]string{
		"dbtype": ofRegister(row.DBType), "dbhost": row.DBHost, "dbname": row.DBName, "dbuser": row.DBUser, "dbpass": row.DBPass, "prefix": row.Prefix,
		"wwwroot": row.Wwwroot, "dataroot": row.Dataroot,
		// The register is the same for all, and known: php need not evaluate it again.
		"vmasterdbtype": r.DBType, "vmasterdbhost": r.DBHost, "vmasterdbname": r.DBName, "vmasterdblogin": r.DBUser, "vmasterdbpass": r.DBPass,
		"vmasterprefix": r.Prefix, "vchildsdblogin": r.TenantUser, "vchildsdbpass": r.TenantPass,
	}
	if r.TenantUser != "" {
		values["dbuser"] = r.TenantUser
	}
	if r.TenantPass != "" {
		values["dbpass"] = r.TenantPass
	}
	t, err := readFor(ctx, c.File, c.options, values)
	if err != nil {
		return nil, c.ofRow(row, err)
	}
	t.source = fromRow
	return t, nil
}

// NoWwwroot names the tenant of an enabled row of the register whose vhostname is empty.
func NoWwwroot(id int64) string { return fmt.Sprintf("(row %d without vhostname)", id) }

// ofRow is the error of a tenant whose configuration cannot be used.
func (c *Config) ofRow(row TenantRow, err error) error {
	values := map[string]string{"wwwroot": row.Wwwroot, "dbtype": row.DBType, "dbname": row.DBName, "prefix": row.Prefix, "dataroot": row.Dataroot,
		"dbhost": ""} // which --redact would not find in the error
	if c.Register.TenantUser == "" {
		values["dbuser"] = row.DBUser
	}
	if row.Wwwroot == NoWwwroot(row.ID) {
		values["wwwroot"] = ""
	}
	e := &RowError{Table: c.Register.Prefix + "local_vmoodle", Database: c.Register.DBName, ID: row.ID, Err: err}
	setting := new(Error)
	_ = errors.As(err, &setting)
	value, ofRow := values[setting.Setting]
	var kind *UnsupportedDBError
	switch {
	case errors.As(err, &kind):
		e.Column, e.Value, e.Problem = "vdbtype", row.DBType, "is not supported: use mysqli, mariadb or postgres"
	case ofRow:
		e.Column, e.Value, e.Problem = columns[setting.Setting], value, setting.Problem
		switch {
		case setting.Setting == "dbhost":
			e.Advice = setting.Advice
		case e.Value == "":
			e.Problem = "is empty"
		}
	default:
		return fmt.Errorf("tenant %s: %w", row.Wwwroot, err)
	}
	return e
}
