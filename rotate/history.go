package rotate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// The history is Moodle's list of retired key pairs (openssl_history), newest
// first. A peer that missed a renewal heals by the pair whose certificate it
// holds, so storing a key drops none: only when everybody was proven with the
// current key is the history shortened to what Moodle itself keeps.

// historyAfterRetiring is the history after the stored pair has been retired: the pair in
// front. A pair that stands there already, which a run killed between two steps
// may leave, is not kept twice.
func (t *Tenant) historyAfterRetiring() []Retired {
	history := make([]Retired, 0, len(t.History)+1)
	if t.Pair.Present() {
		history = append(history, Retired{Stored: t.Pair, Expires: t.expires()})
	}
	history = append(history, t.retiredBut(t.Pair)...)
	// One that is longer already, by Moodle's setting or by what was rescued, is not
	// cut to the bound at once: one renewal drops one pair at most.
	return history[:min(len(history), max(MaxHistory, t.Generations, len(t.History)))]
}

// retiredBut is the history without empty entries and without one pair.
func (t *Tenant) retiredBut(pair Stored) []Retired {
	return slices.DeleteFunc(slices.Clone(t.History), func(h Retired) bool { return !h.Present() || h.Stored == pair })
}

// dropsOne tells whether a pair of the history is not in the next one, nor current
// then.
func (t *Tenant) dropsOne(next Keys) bool {
	return slices.ContainsFunc(t.History, func(h Retired) bool {
		return h.Present() && h.Stored != next.Stored &&
			!slices.ContainsFunc(next.History, func(n Retired) bool { return n.Stored == h.Stored })
	})
}

// byAge puts pairs into a history where they belong, newest first: a pair goes in
// front of the first one that is not younger: of two made in the same second the one
// that is added was in use last. Pairs that cannot be read, or were undone, say nothing
// of the order.
func byAge(added, history []Retired) []Retired {
	history = slices.Clone(history)
	for _, a := range added {
		c, _ := envelope.ParseCertificate(a.Certificate)
		at := slices.IndexFunc(history, func(h Retired) bool {
			other, err := envelope.ParseCertificate(h.Certificate)
			return err == nil && h.Expires != undone && !older(c, other)
		})
		if at < 0 {
			at = len(history)
		}
		history = slices.Insert(history, at, a)
	}
	return history
}

// undone is the expiry that marks a pair in the history which was put back before
// the local site used it. Moodle reads no expiry there (mnet/xmlrpc/serverlib.php
// tries every pair), and 0 is what an entry without one reads as.
const undone = 1

// historyWithUndone is the history of before with an undone pair at the end: a
// peer may have fetched its certificate by a keyswap in between, and must stay
// able to learn better. In a full history one that was undone earlier makes room
// for it, and never a pair that was in use: the history may be one longer. A pair
// that came from the history is there already.
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

// replaced is the tenant under the pair it retired last, and the history once that
// is current again: the pair it replaces in front. Pairs that were undone were
// never in use.
func (t *Tenant) newestRetired(now time.Time) (*Identity, []Retired, error) {
	at := slices.IndexFunc(t.History, func(h Retired) bool { return h.Present() && h.Expires != undone })
	if at < 0 {
		return nil, nil, ErrNothingArchived
	}
	last := t.History[at].Stored
	key, err := envelope.ParseKeyPair(last.Certificate, last.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("read the newest retired key: %w", err)
	}
	if expiry := key.Certificate.NotAfter; !expiry.After(now.Add(time.Hour)) {
		return nil, nil, fmt.Errorf("the newest retired key: %w: until %s", ErrExpired, FormatTime(expiry))
	}
	if err := key.Certificate.CheckWwwroot(t.Wwwroot); err != nil {
		return nil, nil, fmt.Errorf("the newest retired key: %w", err)
	}
	history := t.exchanged(last)
	return &Identity{Wwwroot: t.Wwwroot, Key: key, Retired: readable(history), Drift: t.Drift}, history, nil
}

// exchanged is the history once a pair of it is current again: the stored pair in
// front, one for one.
func (t *Tenant) exchanged(pair Stored) []Retired {
	history := t.retiredBut(pair)
	if t.Pair.Present() {
		history = slices.DeleteFunc(history, func(h Retired) bool { return h.Stored == t.Pair })
		history = slices.Insert(history, 0, Retired{Stored: t.Pair, Expires: t.expires()})
	}
	return history
}

// knows tells whether a certificate is that of the stored pair or of a retired one.
func (t *Tenant) knows(c *envelope.Certificate) bool {
	if current, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil && current.Equal(c) {
		return true
	}
	return slices.ContainsFunc(t.History, func(h Retired) bool {
		retired, err := envelope.ParseCertificate(h.Certificate)
		return err == nil && retired.Equal(c)
	})
}

// trim shortens the history to what Moodle keeps, at the end of a run in which
// every peer was proven with the key that is stored (or where they are given up, as
// those are that --ignore-peer names),
// in a transaction of its own: a run that dies before it has merely kept more. now is
// the tenant as the last look found it, under that key; what has changed since is not
// shortened. The cached history goes with it, or a later run would take it for keys
// that only the cache has.
func (r *Renewal) trim(ctx context.Context, now *Tenant, report *TenantReport) {
	allProven := report.SelfCheck == SelfProven && report.Err == nil &&
		!slices.ContainsFunc(report.Peers, func(p PeerReport) bool { return !p.Outcome.Proven() && p.Outcome != Ignored })
	abandoned := r.AbandonPending && (report.SelfCheck == SelfProven || report.SelfCheck == SelfNoRC4)
	// Of a run that was interrupted nobody knows who would have been proven.
	if !allProven && !abandoned || report.History <= 1 || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trimLimit)
	defer cancel()
	generations := max(now.Generations, 1)
	if len(now.History) <= generations {
		return
	}
	err := r.Store.StoreHistory(ctx, now, now.History[:generations], true)
	if err == nil {
		report.History = generations
		err = r.Cache.Drop(ctx, now.SiteIdentifier, WidthEntry)
	}
	if err != nil {
		r.Log.Info().Err(err).Msg("the key history was not shortened, or not in the cache; the next run tries again")
	}
}

const trimLimit = 30 * time.Second
