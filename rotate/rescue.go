package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// rescue puts the key pairs that stand nowhere but in Moodle's cache into the
// history, before anything drops them there. VMoodle's PHP renewal leaves such
// pairs: it overwrites the stored pair and not the cached one, with which the web
// server goes on, and whose certificate the peers have. t is read anew if it has
// changed.
//
// A store may be unreadable from here. Then its content may be dropped only if it
// is known not to be the only copy: the web server was seen to use a pair that the
// database has. stale says that it was seen to use another than the stored one.
func (r *Renewal) rescue(ctx context.Context, t *Tenant, stale bool) error {
	err := r.keepCached(ctx, t, false)
	if !errors.Is(err, errUnreadCache) {
		return err
	}
	seen := r.SelfCheck != SelfCheckOff && (!stale || r.showsKnown(ctx, t))
	if seen || r.AbandonPending {
		r.Log.Debug().Err(err).Msg("a cache store was not read")
		return nil
	}
	if err = r.keepCached(ctx, t, true); errors.Is(err, errUnreadCache) {
		return &OnlyCopyError{err}
	}
	return err
}

// errUnreadCache marks that a cache store could not be read.
var errUnreadCache = errors.New("the cached key pair cannot be read")

// keepCached reads the cache and stores what is missing in the history.
func (r *Renewal) keepCached(ctx context.Context, t *Tenant, withPHP bool) error {
	cached, unread := r.Cache.Cached(ctx, withPHP)
	if unread != nil {
		unread = fmt.Errorf("%w: %w", errUnreadCache, unread)
	}
	missing := t.missing(cached)
	if len(missing) == 0 {
		return unread
	}
	if err := r.Store.StoreHistory(ctx, t, bounded(append(missing, t.History...)), false); err != nil {
		return fmt.Errorf("keep the key pair that only the cache has: %w", err)
	}
	r.Log.Info().Int("pairs", len(missing)).Msg("the key history has a key pair now that only the cache had")
	now, err := r.Store.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	*t = *now
	return unread
}

// missing are the cached pairs that can be used and that the database does not
// have, as entries of the history.
func (t *Tenant) missing(cached []Stored) []Retired {
	var missing []Retired
	for _, c := range cached {
		pair, err := envelope.ParseKeyPair(c.Certificate, c.PrivateKey)
		if err != nil || t.has(pair) || slices.ContainsFunc(missing, func(m Retired) bool { return m.Stored == c }) {
			continue
		}
		missing = append(missing, Retired{Stored: c, Expires: pair.Certificate.NotAfter.Unix()})
	}
	return missing
}

// has tells whether the database has this pair, in a form that can be read.
func (t *Tenant) has(pair *envelope.KeyPair) bool {
	for _, s := range append([]Retired{{Stored: t.Pair}}, t.History...) {
		if known, err := envelope.ParseKeyPair(s.Certificate, s.PrivateKey); err == nil && known.Certificate.Equal(pair.Certificate) {
			return true
		}
	}
	return false
}

// showsKnown tells whether every web server of the local site shows, by its
// publickey.php, a certificate whose pair the database has.
func (r *Renewal) showsKnown(ctx context.Context, t *Tenant) bool {
	nodes, failure := r.localNodes(ctx, t.localSite(""))
	if failure != nil {
		return false
	}
	for _, node := range nodes {
		shown, failure := r.Network.PublicKey(ctx, node)
		if failure != nil || !t.knows(shown) {
			return false
		}
	}
	return true
}
