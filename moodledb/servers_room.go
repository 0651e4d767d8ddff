package moodledb

import (
	"context"
	"fmt"
	"slices"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// LocksError is an array that needs more connections for its locks than a server should give it.
type LocksError struct {
	Server       string // database, address, user; never the password
	Needed, Free int    // connections
}

func (e *LocksError) Error() string {
	return fmt.Sprintf("%s: this run needs %d connections to the server, which is more than half of the %d that it has left", e.Server, e.Needed, e.Free)
}

// Hint says what to do about it.
func (*LocksError) Hint() string {
	return "on PostgreSQL the locks of each database need a connection: lower --db-connections, select a part of the sites with --match or --shard, or raise max_connections"
}

// EnoughFor says whether the locks of the selected members can be had at the same time, beside the
// work on all members: a [*LocksError] if their servers have too few connections left, of which the
// web servers need some too. It asks only servers on which the locks need more than one connection.
// A server that does not answer is not its error: opening the tenants will tell. A member of which
// nothing is known is nil; selected are indexes of members in their order.
func (s *Servers) EnoughFor(ctx context.Context, members []*config.Config, selected []int) error {
	work := map[*dbServer]int{}                         // members of each server
	places := map[*dbServer]map[string]*config.Config{} // one tenant of each place
	for i, c := range members {
		if c == nil {
			continue
		}
		server, err := s.of(c)
		locks, unknown := c.Dialect()
		if err != nil || unknown != nil {
			continue // its own error later
		}
		work[server]++
		if _, locked := slices.BinarySearch(selected, i); !locked {
			continue
		}
		if places[server] == nil {
			places[server] = map[string]*config.Config{}
		}
		places[server][locks.LockPlace(c.Account())] = c
	}
	for at, tenants := range places {
		if len(tenants) == 1 {
			continue
		}
		needed := len(tenants) + min(work[at], s.perServer-1)
		for _, c := range tenants {
			var free int
			err := at.reach.try(c, 0, func() (err error) {
				free, err = freeConnections(ctx, c)
				return err
			})
			if err == nil && needed > free/2 {
				return &LocksError{server(c), needed, free}
			}
			if ctx.Err() != nil {
				return fmt.Errorf("count the free connections: %w", rotate.Ended(ctx, err))
			}
			if err == nil || !isAnswer(err) {
				break
			}
		}
	}
	return context.Cause(ctx)
}

func freeConnections(ctx context.Context, c *config.Config) (int, error) {
	db, err := connect(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	d, err := c.Dialect()
	if err != nil {
		return 0, err
	}
	ctx, cancel := statementTime(ctx)
	defer cancel()
	return d.FreeConnections(ctx, db)
}
