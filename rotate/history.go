package rotate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// The history is Moodle's list of retired key pairs (openssl_history), newest first. A peer that
// missed a renewal heals by the pair whose certificate it has, so storing a key drops none: only
// when every peer was proven with the current key is the history shortened to what Moodle itself
// keeps.

// historyAfterRetiring is the history after the stored pair has been retired: that pair comes
// first. If the pair is in the history already, as after a run that was killed between two steps,
// it is not kept twice.
func (t *Tenant) historyAfterRetiring() []Retired {
	history := make([]Retired, 0, len(t.History)+1)
	if t.Pair.Present() {
		history = append(history, Retired{Stored: t.Pair, Expires: t.expires()})
	}
	history = append(history, t.retiredBut(t.Pair)...)
	// If the history is longer already, by Moodle's setting or by rescued pairs, it is not cut to
	// the limit at once: one renewal drops one pair at most.
	return history[:min(len(history), max(MaxHistory, t.Generations, len(t.History)))]
}

// retiredBut is the history without empty entries and without one pair.
func (t *Tenant) retiredBut(pair Stored) []Retired {
	return slices.DeleteFunc(slices.Clone(t.History), func(h Retired) bool { return !h.Present() || h.Stored == pair })
}

// dropsOne reports whether a pair of the history that was in use is neither in the next history nor the next
// current pair.
func (t *Tenant) dropsOne(next Keys) bool {
	return slices.ContainsFunc(t.History, func(h Retired) bool {
		return h.Present() && h.Expires != undone && h.Stored != next.Stored &&
			!slices.ContainsFunc(next.History, func(n Retired) bool { return n.Stored == h.Stored })
	})
}

// isFull reports whether a renewal drops a pair of the history that was in use.
func (t *Tenant) isFull() bool { return t.dropsOne(Keys{History: t.historyAfterRetiring()}) }

// historyFull is the warning of a renewal after which the history has so many keys, and one less
// than it could have.
func historyFull(keys int) string {
	return fmt.Sprintf("the key history is full (%d keys): the oldest one was dropped. A peer that was down all that time cannot fetch the new key by itself", keys)
}

// byAge inserts pairs into a history at their places, newest first. A pair goes before the first
// one that is not younger: of two pairs made in the same second, the one that is added was in use
// last. Pairs that cannot be read, or were undone, are ignored for the order; one that was undone goes
// to the end.
func byAge(added, history []Retired) []Retired {
	history = slices.Clone(history)
	for _, a := range added {
		c, _ := envelope.ParseCertificate(a.Certificate)
		at := slices.IndexFunc(history, func(h Retired) bool {
			other, err := envelope.ParseCertificate(h.Certificate)
			return err == nil && h.Expires != undone && !older(c, other)
		})
		if at < 0 || a.Expires == undone {
			at = len(history)
		}
		history = slices.Insert(history, at, a)
	}
	return history
}

// undone is the expiry that marks a pair in the history which was put back before the local site
// used it. Moodle reads no expiry there (mnet/xmlrpc/serverlib.php tries every pair), and an entry
// without an expiry reads as 0.
const undone = 1

// historyWithUndone is the history before the renewal, with an undone pair at the end: a peer may
// have fetched its certificate by a keyswap meanwhile, and must still be able to learn the right
// one. In a full history the undone pair replaces one that was undone earlier, but never a pair
// that was in use: the history may become longer by one. If the pair came from the history, it is
// there already.
func (t *Tenant) historyWithUndone(pair Stored) []Retired {
	if slices.ContainsFunc(t.History, func(h Retired) bool { return h.Stored == pair }) {
		return slices.Clone(t.History)
	}
	history := slices.Clone(t.History)
	if last := len(history) - 1; last+1 >= MaxHistory && history[last].Expires == undone {
		history = history[:last]
	}
	return append(history, Retired{Stored: pair, Expires: undone})
}

// newestRetired is the tenant with the pair that was retired last as its key, and the history after
// that pair is current again: the pair that it replaces comes first. Pairs that were undone were
// never in use.
func (t *Tenant) newestRetired(now time.Time) (*Identity, []Retired, error) {
	at := slices.IndexFunc(t.History, func(h Retired) bool { return h.Present() && h.Expires != undone })
	switch {
	case at < 0 && slices.ContainsFunc(t.History, func(h Retired) bool { return h.Present() }):
		return nil, nil, ErrOnlyUndone
	case at < 0:
		return nil, nil, ErrNothingRetired
	}
	last := t.History[at].Stored
	key, err := envelope.ParseKeyPair(last.Certificate, last.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if expiry := key.Certificate.NotAfter; !expiry.After(now.Add(time.Hour)) {
		return nil, nil, fmt.Errorf("the newest retired key: %w: until %s", ErrExpired, FormatTime(expiry))
	}
	if err := key.Certificate.CheckWwwroot(t.Wwwroot); err != nil {
		return nil, nil, fmt.Errorf("the newest retired key: %w: %w", errOtherWwwroot, err)
	}
	history := t.exchanged(last)
	return &Identity{Wwwroot: t.Wwwroot, Key: key, Retired: readable(history), Drift: t.Drift, Proxy: t.Proxy}, history, nil
}

// exchanged is the history after one of its pairs is current again: the stored pair takes its
// place, at the front.
func (t *Tenant) exchanged(pair Stored) []Retired {
	history := t.retiredBut(pair)
	if t.Pair.Present() {
		history = slices.DeleteFunc(history, func(h Retired) bool { return h.Stored == t.Pair })
		history = slices.Insert(history, 0, Retired{Stored: t.Pair, Expires: t.expires()})
	}
	return history
}

// knows reports whether a certificate is that of the stored pair or of a retired one.
func (t *Tenant) knows(c *envelope.Certificate) bool {
	return slices.ContainsFunc(t.certificates(), c.Equal)
}

// certificates are those of the stored pair and of the retired ones, as far as they can be read.
func (t *Tenant) certificates() (all []*envelope.Certificate) {
	for _, s := range append([]Retired{{Stored: t.Pair}}, t.History...) {
		if c, err := envelope.ParseCertificate(s.Certificate); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// trim shortens the history to what Moodle keeps, at the end of a run in which every peer was
// proven with the stored key (or is given up, like the peers that --ignore-peer names). It uses its
// own transaction: if a run dies before it, the history has merely kept more. now is the tenant as
// the last check found it, under that key; if anything has changed since, the history is not
// shortened. The cached history is dropped too, or a later run would take it for keys that only the
// cache has.
func (r *Renewal) trim(ctx context.Context, now *Tenant, report *TenantReport) {
	allProven := report.SelfCheck == SelfProven && report.Err == nil &&
		!slices.ContainsFunc(report.Peers, func(p PeerReport) bool { return !p.Outcome.Proven() && p.Outcome != Ignored })
	abandoned := r.AbandonPending && (report.SelfCheck == SelfProven || report.SelfCheck == SelfNoRC4)
	// If a run was interrupted, it is not known which peers would have been proven.
	if !allProven && !abandoned || report.History <= 1 || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trimLimit)
	defer cancel()
	generations := max(now.Generations, 1)
	if len(now.History) <= generations {
		return
	}
	if err := r.Store.StoreHistory(ctx, now, now.History[:generations], true); err != nil {
		r.Log.Info().Err(err).Msg("the key history was not shortened; the next run tries again")
		return
	}
	report.shortened(now.History, generations, allProven)
	if err := r.Cache.Drop(ctx, now.SiteIdentifier, ScopeEntry); err != nil {
		r.Log.Info().Err(err).Msg("the key history was shortened, but the cache has the longer one until it is purged, by the next renewal at the latest")
	}
}

// shortened says what the run has dropped, if a peer may need it. The renewal itself may have
// dropped a key of a full history, and has warned of that one alone.
func (r *TenantReport) shortened(history []Retired, kept int, allProven bool) {
	r.History = kept
	dropped := len(history) - kept
	if r.takeBack(historyFull(len(history))) {
		dropped++
	}
	if !allProven {
		r.warn(fmt.Sprintf("--abandon-pending dropped %d of the %d keys in the key history: peers that are not proven may need them", dropped, kept+dropped))
	}
}

const trimLimit = 30 * time.Second
