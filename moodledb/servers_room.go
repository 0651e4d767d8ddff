package moodledb

import (
	"context"
	"fmt"
	"slices"

	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// ConnectionsError is an array that needs more connections than a server should give it.
type ConnectionsError struct {
	Server            string // database, address, user; never the password
	Of                Limit
	Needed, May, Left int // connections: that it needs, that it may take of those that are left
}

func (e *ConnectionsError) Error() string {
	return fmt.Sprintf("%s: too few free connections %s: this run needs %d, free: %d, of which it takes at most %d", e.Server, limits[e.Of].of, e.Needed, max(0, e.Left), max(0, e.May))
}

// Hint says what to do about it.
func (e *ConnectionsError) Hint() string {
	return "lower --db-connections, select a part of the sites with --match or --shard (on PostgreSQL the locks of each database need a connection), or raise " + limits[e.Of].raise
}

// Limit is what limits the connections to a server.
type Limit int

// The limits.
const (
	LimitOfServer Limit = iota
	LimitOfAccount
	LimitOfDatabase
)

// limits are, for each Limit, its words, its name in SQL, and what it leaves.
var limits = [...]struct {
	of, raise string
	left      func(dialect.Free) int
}{
	LimitOfServer:   {"to the server", "max_connections", func(f dialect.Free) int { return f.Server }},
	LimitOfAccount:  {"of this account", "the account's limit (MAX_USER_CONNECTIONS, on PostgreSQL CONNECTION LIMIT)", func(f dialect.Free) int { return f.Account }},
	LimitOfDatabase: {"to this database", "the database's CONNECTION LIMIT", func(f dialect.Free) int { return f.Database }},
}

// room is a limit that members share.
type room struct {
	server *dbServer
	of     Limit
	name   string // of the account or the database
}

// need is what a run needs of a room.
type need struct {
	members int                       // with work there
	places  map[string]*config.Config // one selected tenant for each connection with locks
}

// ofOneSite are the connections of a run for a single site, one of which has its lock. They are not
// counted before: that run says itself if it does not get them.
const ofOneSite = 2

// EnoughFor says whether the run's connections can be had at the same time, with the locks of the
// selected members and the work on all members: a [*ConnectionsError] if their servers have too few
// left. If the locks need more than one connection, they are kept for the whole run, and half of
// what is left must remain for the web servers.
//
// A server that does not answer is not its error: opening the tenants will tell. A member of which
// nothing is known is nil; selected are indexes of members in their order.
func (s *Servers) EnoughFor(ctx context.Context, members []*config.Config, selected []int) error {
	for at, n := range s.needs(members, selected) {
		needed := len(n.places) + min(n.members, s.perServer-1)
		if len(n.places) == 0 || needed <= ofOneSite {
			continue
		}
		for _, c := range n.places {
			var free dialect.Free
			err := at.server.reach.try(c, 0, func() (err error) {
				free, err = freeConnections(ctx, c)
				return err
			})
			left := limits[at.of].left(free)
			may := left
			if len(n.places) > 1 {
				may = left / 2
			}
			if err == nil && needed > may {
				return &ConnectionsError{server(c), at.of, needed, may, left}
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

// needs is what a run needs of each room.
func (s *Servers) needs(members []*config.Config, selected []int) map[room]*need {
	needs := map[room]*need{}
	for i, c := range members {
		if c == nil {
			continue
		}
		server, err := s.of(c)
		locks, unknown := c.Dialect()
		if err != nil || unknown != nil {
			continue // its own error later
		}
		_, locked := slices.BinarySearch(selected, i)
		for _, at := range []room{{server, LimitOfServer, ""}, {server, LimitOfAccount, c.DBUser}, {server, LimitOfDatabase, c.DBName}} {
			if needs[at] == nil {
				needs[at] = &need{places: map[string]*config.Config{}}
			}
			needs[at].members++
			if locked {
				needs[at].places[locks.LockPlace(c.Account())] = c
			}
		}
	}
	return needs
}

func freeConnections(ctx context.Context, c *config.Config) (free dialect.Free, err error) {
	db, err := connect(ctx, c)
	if err != nil {
		return free, err
	}
	defer func() { _ = db.Close() }()
	d, err := c.Dialect()
	if err != nil {
		return free, err
	}
	ctx, cancel := statementTime(ctx)
	defer cancel()
	return d.FreeConnections(ctx, db)
}
