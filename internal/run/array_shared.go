package run

import (
	"context"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
)

// sharing gives an error to sites that name the tables of another site of the array, and that cannot
// read them, or to which they do not belong. Both would need one lock in the same run, and by chance
// the site to which the tables belong would fail.
func (w arrayWiring) sharing(ctx context.Context, sites []arraySite) {
	for i := range sites {
		s := &sites[i]
		other := slices.IndexFunc(sites, func(o arraySite) bool { return sharesTables(*s, o) })
		if other < 0 {
			continue
		}
		site, err := w.read(ctx, s.config)
		switch {
		case err != nil:
			s.err = err
		case site.Own != nil && !envelope.SameWwwroot(site.Own.Wwwroot, s.wwwroot):
			s.err = &sharedTablesError{s.wwwroot, sites[other].wwwroot, s.config.Prefix, s.config.DBName}
		}
	}
}

func sharesTables(s, o arraySite) bool {
	return s.config != nil && o.config != nil && s.err == nil && s.config.DBName == o.config.DBName && s.config.Prefix == o.config.Prefix &&
		!envelope.SameWwwroot(s.wwwroot, o.wwwroot) && moodledb.SameTables(s.config, o.config)
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
