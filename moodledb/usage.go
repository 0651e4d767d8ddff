package moodledb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// usageLimit is for one statement about the use of links: the tables of users and of their actions
// can be large.
const usageLimit = 5 * time.Second

// usersOf and newestOf are what is read of the large tables, up to the ids of the peers.
const (
	usersOf  = "mnethostid, COUNT(*), MAX(GREATEST(lastaccess, currentlogin)) FROM {user} WHERE deleted = 0 AND mnethostid IN "
	newestOf = "MAX(id) AS id FROM {mnet_log} WHERE hostid IN "
)

// DescribeSite implements rotate.SiteDescriber: release and version are those of table config;
// single sign-on is enabled if auth_mnet is installed (config_plugins) and among the methods of
// config.auth, as the table has it.
//
// Whether the server gives locks is found out by taking one.
//
// Users are counted by the index of (mnethostid, username), and only those of the peers are read.
// Of mnet_log only the newest entry of each peer is read.
func (t *Tenant) DescribeSite(ctx context.Context, peers []rotate.Peer, now time.Time) rotate.Site {
	s := rotate.Site{Use: map[int64]rotate.LinkUse{}}
	t.release(ctx, &s)
	t.locks(ctx, &s)
	if len(peers) == 0 {
		return s
	}
	ids := make([]any, len(peers))
	for i, p := range peers {
		ids[i] = p.ID
	}
	in := "(" + marks(len(ids)) + ") "
	t.perPeer(ctx, &s, "users of the peers", usersOf+in+"GROUP BY mnethostid", ids, peers, func(u *rotate.LinkUse, count, newest int64) {
		u.Users, u.LastUsed = &count, later(u.LastUsed, newest)
	})
	t.perPeer(ctx, &s, "sessions of the peers", "mnethostid, COUNT(*), 0 FROM {mnet_session} WHERE mnethostid IN "+in+"AND expires > ? GROUP BY mnethostid",
		append(slices.Clone(ids), now.Unix()), peers, func(u *rotate.LinkUse, count, _ int64) { u.Sessions = &count })
	t.perPeer(ctx, &s, "entries of the peers in the log", "l.hostid, 0, l.time FROM {mnet_log} l JOIN (SELECT "+newestOf+in+"GROUP BY hostid) newest ON newest.id = l.id",
		ids, peers, func(u *rotate.LinkUse, _, newest int64) { u.LastUsed = later(u.LastUsed, newest) })
	t.perPeer(ctx, &s, "calls of the peers", "id, 0, last_connect_time FROM {mnet_host} WHERE id IN "+in, ids, peers,
		func(u *rotate.LinkUse, _, newest int64) { u.LastCall = later(u.LastCall, newest) })
	return s
}

// locks finds out whether the server gives locks, by one that no run waits for.
func (t *Tenant) locks(ctx context.Context, s *rotate.Site) {
	ctx, cancel := context.WithTimeout(ctx, usageLimit)
	defer cancel()
	lock, err := t.acquire(ctx, dialect.Lock{Name: "renew_mnetkeys/doctor"}, 0)
	var none *NoLocksError
	switch {
	case err == nil:
		_ = lock.Release() // at the latest with its connection
	case errors.As(err, &none):
		s.NoLocks = none.Err.Error()
	case !errors.As(err, new(*LockedError)): // by another doctor
		s.Unknown = append(s.Unknown, err.Error())
	}
}

// release reads release, version and single sign-on of the site.
func (t *Tenant) release(ctx context.Context, s *rotate.Site) {
	const query = "name, value FROM {config} WHERE name IN ('release', 'version', 'auth') UNION ALL " +
		"SELECT 'auth_mnet', value FROM {config_plugins} WHERE plugin = 'auth_mnet' AND name = 'version'"
	settings := map[string]string{}
	err := t.limited(ctx, query, nil, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		settings[name] = value
		return err
	})
	if err != nil {
		s.Unknown = append(s.Unknown, t.explain("release of Moodle", err).Error())
		return
	}
	s.Release, s.Version, s.SingleSignOn = strings.TrimSpace(settings["release"]), number(settings["version"]), rotate.SignOnAbsent
	switch methods := strings.Split(settings["auth"], ","); {
	case !has(settings, "auth_mnet"):
	case slices.Contains(methods, "mnet"):
		s.SingleSignOn = rotate.SignOnOn
	default:
		s.SingleSignOn = rotate.SignOnOff
	}
}

// perPeer reads two numbers for each peer. Without a row they are 0.
func (t *Tenant) perPeer(ctx context.Context, s *rotate.Site, what, query string, args []any, peers []rotate.Peer, set func(u *rotate.LinkUse, count, newest int64)) {
	read := map[int64][2]int64{}
	err := t.limited(ctx, query, args, func(scan func(...any) error) error {
		var id, count, newest int64
		err := scan(&id, &count, &newest)
		read[id] = [2]int64{count, newest}
		return err
	})
	if err != nil {
		s.Unknown = append(s.Unknown, t.explain(what, err).Error())
		return
	}
	for _, p := range peers {
		u := s.Use[p.ID]
		set(&u, read[p.ID][0], read[p.ID][1])
		s.Use[p.ID] = u
	}
}

// limited runs a SELECT, written without that word, for at most usageLimit.
func (t *Tenant) limited(ctx context.Context, query string, args []any, row func(scan func(...any) error) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*usageLimit) // the server ends it earlier, unless it hangs
	defer cancel()
	return t.dialect.Limited(ctx, t.db, usageLimit, t.sql(query), args, func(rows *sql.Rows) error { return row(rows.Scan) })
}

// later is the later of two times; the other one is in unix seconds, 0 for none.
func later(a *time.Time, unix int64) *time.Time {
	b := time.Unix(unix, 0).UTC()
	if unix <= 0 || a != nil && !b.After(*a) {
		return a
	}
	return &b
}
