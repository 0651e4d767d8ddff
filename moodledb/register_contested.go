package moodledb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/moodledb/config"
)

// ContestedError is a wwwroot of several rows of the register, with different databases: it is not
// known which of them the wwwroot reaches. Disabled rows do not count.
type ContestedError struct {
	Wwwroot string
	// Places are the databases of the rows, by short names that differ.
	Places []string
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
		func(row config.TenantRow) string {
			return fmt.Sprintf("tables %s* of database %s on host %s", row.Prefix, row.DBName, row.DBHost)
		},
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
	return fmt.Sprintf("%d rows of VMoodle's register have the wwwroot %s: %s", len(e.Places), e.Wwwroot, strings.Join(e.Places, " and "))
}

// Hint says what to do about it.
func (e *ContestedError) Hint() string {
	return "only one database can be that of this wwwroot: correct the other row of VMoodle's register, or disable it"
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
