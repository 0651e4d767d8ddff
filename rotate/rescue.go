package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"renew_mnetkeys/envelope"
)

// usage is what was seen of the key that the local web server uses.
type usage int

const (
	usesUnknown usage = iota // the web server was not asked
	usesStored               // the stored key
	usesAnother              // another key than the stored one
)

// rescue puts the key pairs that exist only in Moodle's cache into the history, before anything
// drops them there. VMoodle's PHP renewal leaves such pairs: it overwrites the stored pair but not
// the cached one, which the web server goes on using, and whose certificate the peers have. t is
// read again if it has changed.
//
// A store may be unreadable or invisible from here: then a drop may destroy the only copy. So
// unless the web server was seen to use the stored pair, it must show a certificate whose pair the
// database has; if it shows none, every store must have been read. Those that a hook empties are
// not all read from here: then a web server that was seen to use another key must show it, and what is
// shown by the name must be in the database, whatever was seen.
func (r *Renewal) rescue(ctx context.Context, t *Tenant, seen usage) error {
	if t.neverHadKey() {
		return nil
	}
	err := r.keepFound(ctx, t)
	if err != nil && !errors.Is(err, errUnreadCache) || seen == usesStored && !r.hooked() {
		return ignoreUnread(err)
	}
	pages := r.readPages(ctx, t, seen)
	if r.onlyCopy(t, seen, err, pages) == nil {
		return nil
	}
	if err = r.keepCached(ctx, t, true); err != nil && !errors.Is(err, errUnreadCache) {
		return err
	}
	cause := r.onlyCopy(t, seen, err, pages)
	only := &OnlyCopyError{Err: cause, Unasked: r.SelfCheck == SelfCheckOff, Named: len(r.Nodes) > 0, Pushable: r.mayKeep(t) == nil}
	switch {
	case cause == nil:
		return nil
	case r.AbandonPending:
		done := "given up"
		if r.planning {
			done = "to be given up"
		}
		r.Log.Warn().Err(only.Err).Msg(done + ": the key that only a cache may have (--abandon-pending)")
		return nil
	}
	return only
}

var (
	// errNowhere: the key that the web server uses is in no cache that was read.
	errNowhere = errors.New("the web server uses a key that was found neither in the database nor in a cache that can be read")
	// errNotShown: whether the database has the key is not known.
	errNotShown = errors.New("a web server used another key than the stored one, but no page showed it")
	errSilent   = errors.New("not each web server shows which key it uses")
)

func ignoreUnread(err error) error {
	if errors.Is(err, errUnreadCache) {
		return nil
	}
	return err
}

// onlyCopy is why the cache may have the only copy of a key, nil if it has none. unread is the error of
// reading the cache: what was not read may be the key of a certificate for which the database no longer
// has it.
func (r *Renewal) onlyCopy(t *Tenant, seen usage, unread error, p pages) error {
	kept := t.knows
	if unread != nil {
		kept = t.has
	}
	cured := r.hooked() && seen == usesAnother
	switch {
	case slices.ContainsFunc(p.shown, func(c *envelope.Certificate) bool { return !kept(c) }):
		return nowhere(unread)
	case p.unnamed != nil:
		return fmt.Errorf("%w: %w", errSilent, p.unnamed)
	case cured && p.silent != nil: // it can be mended, a cache that cannot be read perhaps not
		return fmt.Errorf("%w: %w", errSilent, p.silent)
	case !p.asked && unread != nil:
		return unread
	case cured && !p.showOther(t):
		return errNotShown
	}
	return nil
}

func nowhere(unread error) error {
	if unread != nil {
		return fmt.Errorf("%w: %w", errNowhere, unread)
	}
	return errNowhere
}

// neverHadKey is true for a site on which MNet was never on.
func (t *Tenant) neverHadKey() bool {
	return !t.Pair.Present() && len(t.History) == 0 && (t.Own == nil || t.Own.Certificate == "")
}

// errUnreadCache marks that a cache store could not be read.
var errUnreadCache = errors.New("the cached key pair cannot be read")

// keepFound keeps what can be read of the cache. With an empty history PHP is asked for the rest at
// once: the history may have been damaged and emptied, and then only the cache has its keys. It reads no
// other process's memory.
func (r *Renewal) keepFound(ctx context.Context, t *Tenant) error {
	emptied := len(t.History) == 0
	err := r.keepCached(ctx, t, false)
	if emptied && errors.Is(err, errUnreadCache) && !errors.Is(err, ErrCacheInMemory) {
		err = r.keepCached(ctx, t, true)
	}
	return err
}

// keepCached reads the cache and stores the pairs that are missing in the history.
func (r *Renewal) keepCached(ctx context.Context, t *Tenant, withPHP bool) error {
	cached, unread := r.Cache.Cached(ctx, t.SiteIdentifier, withPHP)
	if unread != nil {
		unread = fmt.Errorf("%w: %w", errUnreadCache, unread)
	}
	missing := r.missing(ctx, t, cached)
	if err := r.notShared(ctx, t, missing); err != nil {
		return err
	}
	if len(missing) == 0 {
		return unread
	}
	history := byAge(missing, t.History)
	if r.planning {
		t.History = history
		return unread
	}
	if err := r.Store.StoreHistory(ctx, t, history, false); err != nil {
		return fmt.Errorf("keep the key pair that only the cache has: %w", err)
	}
	r.Log.Info().Int("pairs", len(missing)).Msg("the key history has key pairs now that only the cache had")
	now, err := r.load(ctx)
	if err != nil {
		return err
	}
	*t = *now
	return unread
}

// missing are the cached pairs of this tenant that are usable and not in the database, as entries
// of the history. If several sites share a cache, it may have pairs of others. A pair that was undone
// stays one, unless a web server uses it: a cache has it as the current pair, or the server shows it.
func (r *Renewal) missing(ctx context.Context, t *Tenant, cached []Retired) []Retired {
	var missing []Retired
	for _, c := range cached {
		if c.Stored == t.Pair { // the usual case: it need not be parsed
			continue
		}
		pair, err := envelope.ParseKeyPair(c.Certificate, c.PrivateKey)
		if err != nil || t.has(pair.Certificate) || !r.isOurs(ctx, t, pair.Certificate) {
			continue
		}
		if c.Expires != undone || r.isShown(ctx, t, pair.Certificate) {
			c.Expires = pair.Certificate.NotAfter.Unix()
		}
		at := slices.IndexFunc(missing, func(m Retired) bool { return m.Stored == c.Stored })
		switch {
		case at < 0:
			missing = append(missing, c)
		case c.Expires != undone:
			missing[at] = c
		}
	}
	return missing
}

// notShared makes sure that no cached pair under another name is the key of a site that answers at
// that name. It is then not ours: a copy of a site that kept its siteidentifier and its cache
// server finds the entries of the original there, and the original finds those of the copy. To drop
// the entry could destroy the other site's only copy, and helps nobody: the next request of either
// site fills it again for both.
func (r *Renewal) notShared(ctx context.Context, t *Tenant, missing []Retired) error {
	for _, m := range missing {
		c, err := envelope.ParseCertificate(m.Certificate)
		if err != nil || c.SubjectAltName == "" || c.CheckWwwroot(t.Wwwroot) == nil || envelope.SameWwwroot(c.SubjectAltName, t.address()) || r.madeForOld(c) {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, hasLeftLimit)
		shown, failure := r.Network.PublicKey(limited, Peer{Wwwroot: c.SubjectAltName, Application: "moodle", ServerURL: localServerURL})
		cancel()
		if failure == nil && shown.Equal(c) {
			return &SharedCacheError{Wwwroot: c.SubjectAltName}
		}
	}
	return nil
}

// isOurs reports whether a cached certificate is the tenant's. It may have another name than the
// local host row, which of a site that has moved can be corrected before its key is: then it is the
// tenant's if another key of the tenant has that name, or the tenant's web server shows it.
func (r *Renewal) isOurs(ctx context.Context, t *Tenant, c *envelope.Certificate) bool {
	named := func(known *envelope.Certificate) bool {
		return known.SubjectAltName != "" && c.CheckWwwroot(known.SubjectAltName) == nil
	}
	if c.CheckWwwroot(t.Wwwroot) == nil || r.madeForOld(c) || slices.ContainsFunc(t.certificates(), named) {
		return true
	}
	return r.isShown(ctx, t, c)
}

// has reports whether the database has the pair of a certificate, in a form that can be read.
func (t *Tenant) has(c *envelope.Certificate) bool {
	for _, s := range append([]Retired{{Stored: t.Pair}}, t.History...) {
		if known, err := envelope.ParseKeyPair(s.Certificate, s.PrivateKey); err == nil && known.Certificate.Equal(c) {
			return true
		}
	}
	return false
}
