package moodledb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/config"
)

// ContestedError is a wwwroot of several sites with different databases: it is not known which of
// them the wwwroot reaches. Disabled rows of the register do not count.
type ContestedError struct {
	Wwwroot string
	// Places are the databases of the sites, by short names that differ.
	Places []string
	// OfFiles: not all of them are rows of one register. A place may then be a config.php.
	OfFiles bool
}

// PlaceOf names a row of the register of a config.php.
func PlaceOf(file string, row config.TenantRow) string {
	return "VMoodle's register in " + file + ", " + tablesOf(row)
}

// tablesOf names the tables of a row. Redaction knows the words before the host.
func tablesOf(row config.TenantRow) string {
	return fmt.Sprintf("tables %s* of database %s on host %s", row.Prefix, row.DBName, row.DBHost)
}

// Contested is the error of these rows.
func Contested(wwwroot string, rows []config.TenantRow) *ContestedError {
	e := &ContestedError{Wwwroot: wwwroot}
	for _, name := range []func(config.TenantRow) string{
		func(row config.TenantRow) string { return "database " + row.DBName },
		// Redaction knows the words before the host.
		func(row config.TenantRow) string {
			return fmt.Sprintf("database %s on host %s", row.DBName, row.DBHost)
		},
		tablesOf,
	} {
		e.Places = nil
		different := map[string]bool{}
		for _, row := range rows {
			e.Places = append(e.Places, name(row))
			different[name(row)] = true
		}
		if len(different) == len(rows) {
			break
		}
	}
	return e
}

func (e *ContestedError) Error() string {
	if e.OfFiles {
		return "two sites have the wwwroot " + e.Wwwroot + ", and different databases: " + strings.Join(e.Places, " and ")
	}
	return fmt.Sprintf("%d rows of VMoodle's register have the wwwroot %s: %s", len(e.Places), e.Wwwroot, strings.Join(e.Places, " and "))
}

// Hint says what to do about it.
func (e *ContestedError) Hint() string {
	if e.OfFiles {
		return "only one site can have this wwwroot: correct that of the other in its config.php, --cfg or VMoodle's register. If it is gone, leave its config.php out of --config, or set enabled = 0 in its row of the register"
	}
	return "only one database can be that of this wwwroot: correct the other row of VMoodle's register, or disable it"
}

// masterOf is the master, unless an enabled row of the register has its wwwroot and other tables.
func masterOf(ctx context.Context, master *config.Config, rows []RegisterRow) (*config.Config, error) {
	for _, row := range rows {
		if !row.Enabled || !envelope.SameWwwroot(row.Wwwroot, master.Wwwroot) {
			continue
		}
		c, err := master.ForTenant(ctx, row.TenantRow)
		if err == nil && !SameTables(master, c) { // a row that cannot be used is no site
			return nil, &ContestedError{master.Wwwroot, []string{master.File, PlaceOf(master.File, row.TenantRow)}, true}
		}
	}
	return master, nil
}

// onlyOf is the configuration of the tenant that has these enabled rows, all with its wwwroot.
func onlyOf(ctx context.Context, master *config.Config, wwwroot string, rows []config.TenantRow) (*config.Config, error) {
	first, err := master.ForTenant(ctx, rows[0])
	different, configs := rows[:1:1], []*config.Config{first}
	for _, row := range rows[1:] {
		if slices.ContainsFunc(different, func(d config.TenantRow) bool {
			return d.DBHost == row.DBHost && d.DBName == row.DBName && d.Prefix == row.Prefix
		}) {
			continue
		}
		c, _ := master.ForTenant(ctx, row) // without one it is of no known tables
		if !slices.ContainsFunc(configs, func(d *config.Config) bool { return SameTables(d, c) }) {
			different, configs = append(different, row), append(configs, c)
		}
	}
	if len(different) > 1 {
		return nil, Contested(wwwroot, different)
	}
	return first, err
}
