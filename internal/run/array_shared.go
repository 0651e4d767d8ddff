package run

import (
	"context"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
)

// sharing gives an error to sites that name the tables of another site of the array. Both would need
// one lock in the same run, and by chance the site to which the tables belong would fail.
func (w arrayWiring) sharing(ctx context.Context, sites []arraySite) {
	for i := range sites {
		s := &sites[i]
		other := slices.IndexFunc(sites, func(o arraySite) bool { return sharesTables(*s, o) })
		if other < 0 || w.owns(ctx, s.config) {
			continue
		}
		s.err = &sharedTablesError{s.wwwroot, sites[other].wwwroot, s.config.Prefix, s.config.DBName}
	}
}

func sharesTables(s, o arraySite) bool {
	return s.config != nil && o.config != nil && s.err == nil && s.config.DBName == o.config.DBName && s.config.Prefix == o.config.Prefix &&
		!envelope.SameWwwroot(s.wwwroot, o.wwwroot) && moodledb.SameTables(s.config, o.config)
}

// owns reports whether the tables may be those of the site: their local host row has its wwwroot, or
// is not known.
func (w arrayWiring) owns(ctx context.Context, c *config.Config) bool {
	site := w.read(ctx, c)
	return site == nil || site.Own == nil || envelope.SameWwwroot(site.Own.Wwwroot, c.Wwwroot)
}

// sharedTablesError is a site whose tables are those of another site of the array.
type sharedTablesError struct{ wwwroot, other, prefix, database string }

func (e *sharedTablesError) Error() string {
	return fmt.Sprintf("the tables %s* of database %s are not those of %s: %s names them too, and their mnet_host row of the local site has another wwwroot", e.prefix, e.database, e.wwwroot, e.other)
}

// Hint says what to do about it.
func (e *sharedTablesError) Hint() string {
	return "correct the database of " + e.wwwroot + " in VMoodle's register or in config.php, or disable it there. If " + e.wwwroot + " is the new address of this site, disable the old one instead, and see docs/move.md"
}
