package moodledb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/spelling"
	"renew_mnetkeys/moodledb/config"
)

// noArray is the error of a run that needs an array, and of which config.php configures none. alone is
// how to work without one. The files that config.php includes, such as vconfig.php, may be readable for
// another user alone.
func noArray(master *config.Config, alone, host, problem string) *UnknownTenantError {
	e := &UnknownTenantError{Host: host, Problem: problem,
		hint: "if there is an array, name its config.php with --config; this user must also be able to read VMoodle's vconfig.php. To work on the site of config.php alone, " + alone}
	if unread := master.Unread(); unread != nil {
		e.Problem, e.Err, e.hint = problem+": "+unread.Error(), unread, unread.Hint()
	} else if host != "" {
		e.Nearest = nearest(host, []string{master.Wwwroot})
	}
	return e
}

// UnknownTenantError is a --host that is not a tenant to work on: it is not in the register, it is
// disabled there, or there is no register.
type UnknownTenantError struct {
	Host    string // "" if no certain host was given
	Problem string
	Nearest string // the known wwwroot that is most similar to Host, "" if none is
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

// FindTenant is the configuration of the tenant whose wwwroot is host: master itself if that is
// config.php's own site, else that of the register's row, see [config.Config.ForTenant]. One
// trailing slash and the case of the host do not matter. Errors are an *UnknownTenantError, a
// *ContestedError, a *config.Error, a *config.UnsupportedDBError, or those of connecting to the
// register.
func FindTenant(ctx context.Context, master *config.Config, host string) (*config.Config, error) {
	// If config.php accepts any host as its own, the register says to which site the host belongs.
	echoed := master.WwwrootOfRequest() && master.Register != nil
	own := !echoed && envelope.SameWwwroot(host, master.Wwwroot)
	switch {
	case master.Register == nil && own:
		return master, nil
	case master.Register == nil:
		return nil, noArray(master, "leave out --host", host, "config.php is of "+master.Wwwroot+", and configures no VMoodle array")
	}
	rows, err := Tenants(ctx, master)
	switch {
	case own: // the master needs no register: an error of it is not the master's
		return masterOf(ctx, master, rows)
	case err != nil:
		return nil, err
	}
	known := make([]string, 0, len(rows)+1)
	var enabled []config.TenantRow
	disabled := false
	for _, row := range rows {
		switch {
		case !envelope.SameWwwroot(row.Wwwroot, host):
			known = append(known, row.Wwwroot)
		case row.Enabled:
			enabled = append(enabled, row.TenantRow)
		default:
			disabled = true
		}
	}
	switch {
	case len(enabled) > 0:
		return onlyOf(ctx, master, enabled[0].Wwwroot, enabled)
	case disabled:
		return nil, &UnknownTenantError{Host: host, Problem: "the tenant is disabled in the register", hint: "enable it in VMoodle first"}
	}
	e := &UnknownTenantError{Host: host, Problem: fmt.Sprintf("no such tenant among the %d of the register", len(rows)),
		Nearest: nearest(host, known), hint: "write the wwwroot in full, as VMoodle's administration lists it"}
	if echoed {
		e.hint = "if it is the site of config.php itself, add --cfg=wwwroot=" + host
	} else if e.Nearest == "" {
		e.Nearest = nearest(host, []string{master.Wwwroot})
	}
	for _, row := range rows {
		if row.Enabled && row.Wwwroot == e.Nearest { // whose vhostname may be no wwwroot, so that no --host can be it
			var unusable *config.RowError
			if _, err := master.ForTenant(ctx, row.TenantRow); errors.As(err, &unusable) && unusable.Column == "vhostname" {
				return nil, unusable
			}
		}
	}
	return nil, e
}

// portOf is the port in a wwwroot, "" if it has none.
func portOf(wwwroot string) string {
	_, rest, _ := strings.Cut(wwwroot, "://")
	host, _, _ := strings.Cut(rest, "/")
	_, port, _ := strings.Cut(host, ":")
	return port
}

// nearest is the wwwroot that differs least from host, ignoring the scheme: by one or two letters,
// or by a path that host lacks. "" if none is that similar.
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
		d := spelling.Distance(bare(host), bare(wwwroot))
		if strings.HasPrefix(bare(wwwroot), bare(host)+"/") {
			d = 1
		}
		if d > 1 && portOf(host) != portOf(wwwroot) { // another site on the same machine
			continue
		}
		if wwwroot != "" && d < least {
			best, least = wwwroot, d
		}
	}
	return best
}
