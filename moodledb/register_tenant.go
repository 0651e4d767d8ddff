package moodledb

import (
	"context"
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
)

const hintNoArray = "leave --host out to work on config.php's own site, or say with --config whose tenant it is"

// UnknownTenantError is a --host that is no tenant to work on: not in the register, disabled there, or there is no register.
type UnknownTenantError struct {
	Host    string // "" when no certain host was asked for
	Problem string
	Nearest string // the known wwwroot that looks most like Host, "" when none does
	Err     error  // cause, may be nil

	hint string
}

func (e *UnknownTenantError) Error() string {
	if e.Host == "" {
		return e.Problem
	}
	return e.Host + ": " + e.Problem
}

func (e *UnknownTenantError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *UnknownTenantError) Hint() string {
	if e.Nearest != "" {
		return "did you mean --host=" + e.Nearest + "?"
	}
	return e.hint
}

// Tenant is the configuration of the tenant whose wwwroot is host: c itself where that is config.php's own site, else config.php read again with the
// values of the register's row, as VMoodle does (local/vmoodle/bootlib.php, vmoodle_feed_config). One trailing slash and the case of the host do not matter.
// Errors are an *UnknownTenantError, a *ConfigError, an *UnsupportedDBError, or those of connecting to the register.
func (c *Config) Tenant(ctx context.Context, host string) (*Config, error) {
	// Where config.php takes any host for its own, the register tells whose it is.
	echoed := c.ofRequest && c.Register != nil
	if !echoed && envelope.SameWwwroot(host, c.Wwwroot) {
		return c, nil
	}
	if c.Register == nil {
		return nil, &UnknownTenantError{Host: host, Problem: "config.php is of " + c.Wwwroot + ", and configures no VMoodle array",
			Nearest: nearest(host, []string{c.Wwwroot}), hint: hintNoArray}
	}
	rows, err := c.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	known := make([]string, 0, len(rows)+1)
	for _, row := range rows {
		if !envelope.SameWwwroot(row.Wwwroot, host) {
			known = append(known, row.Wwwroot)
			continue
		}
		if !row.Enabled {
			return nil, &UnknownTenantError{Host: host, Problem: "the tenant is disabled in the register", hint: "enable it in VMoodle first"}
		}
		return c.TenantFromRow(ctx, row)
	}
	e := &UnknownTenantError{Host: host, Problem: fmt.Sprintf("no such tenant among the %d of the register", len(rows)),
		Nearest: nearest(host, known), hint: "VMoodle's administration lists the tenants; the wwwroot is to be given in full"}
	if echoed {
		e.hint = "if it is config.php's own site, say so with --cfg wwwroot=" + host
	} else if e.Nearest == "" {
		e.Nearest = nearest(host, []string{c.Wwwroot})
	}
	return nil, e
}

// TenantFromRow is [Config.Tenant] for a row that [Config.Tenants] gave, enabled or not. It makes no query, so that a whole array is resolved at the
// price of one, at half a millisecond a tenant; where only php can evaluate what the register does not say, one php a tenant.
// Errors are a *ConfigError or an *UnsupportedDBError.
func (c *Config) TenantFromRow(ctx context.Context, row RegisterRow) (*Config, error) {
	r := c.Register
	values := map[string]string{
		"dbtype": row.dbtype, "dbhost": row.dbhost, "dbname": row.dbname, "dbuser": row.dbuser, "dbpass": row.dbpass, "prefix": row.prefix,
		"wwwroot": row.Wwwroot, "dataroot": row.dataroot,
		// The register is the same for all, and known: php need not be asked for it again.
		"vmasterdbtype": r.DBType, "vmasterdbhost": r.DBHost, "vmasterdbname": r.DBName, "vmasterdblogin": r.DBUser, "vmasterdbpass": r.DBPass,
		"vmasterprefix": r.Prefix, "vchildsdblogin": r.TenantUser, "vchildsdbpass": r.TenantPass,
	}
	if r.TenantUser != "" {
		values["dbuser"] = r.TenantUser
	}
	if r.TenantPass != "" {
		values["dbpass"] = r.TenantPass
	}
	t, err := readConfig(ctx, c.File, c.options, values)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", row.Wwwroot, err)
	}
	return t, nil
}

// nearest is the wwwroot that differs least from host, scheme aside: by one or two letters, or by a path that host lacks. "" when none is that near.
func nearest(host string, known []string) string {
	bare := func(s string) string {
		s = envelope.FoldWwwroot(s)
		if i := strings.Index(s, "://"); i >= 0 {
			s = s[i+3:]
		}
		return s[:min(len(s), 255)]
	}
	best, least := "", 3
	for _, wwwroot := range known {
		d := distance(bare(host), bare(wwwroot))
		if strings.HasPrefix(bare(wwwroot), bare(host)+"/") {
			d = 1
		}
		if wwwroot != "" && d < least {
			best, least = wwwroot, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
