package rotate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// ownServerURL is where a Moodle answers MNet calls (mnet_application).
const ownServerURL = "/mnet/xmlrpc/server.php"

// ladder is how the own web side is made to use a stored key: the cache entry
// alone, dropped again a few times because a request under way may refill it
// with what it had read before; then the whole definition; then Moodle itself.
// The waits stand before each try and come to less than five seconds.
var ladder = []struct {
	width Width
	waits []time.Duration
}{
	{WidthEntry, []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}},
	{WidthDefinition, []time.Duration{0, 500 * time.Millisecond}},
	{WidthPHP, []time.Duration{0, time.Second, 2 * time.Second}},
}

// ownSite is the tenant as its own peer, holding certificate.
func (t *Tenant) ownSite(certificate *envelope.Certificate) Peer {
	own := Peer{Wwwroot: t.Wwwroot, Application: "moodle", ServerURL: ownServerURL, Certificate: certificate.PEM}
	if t.Own != nil {
		own.SSLVerification = t.Own.SSLVerification
	}
	return own
}

// checkBefore asks the own site whether it uses the stored key now. It does not
// ask a site whose key has expired, or is about to: such a request makes Moodle
// renew by itself, behind our back.
func (r *Renewal) checkBefore(ctx context.Context, t *Tenant) (SelfCheck, *Failure) {
	id := t.identity()
	if r.SelfCheck == SelfCheckOff || id == nil || r.expiring(t) {
		return SelfSkipped, nil
	}
	check, failure := r.askOwn(ctx, *id, t.ownSite(id.Key.Certificate))
	if failure != nil {
		r.Log.Debug().Str("check", string(check)).Str("failure", failure.Error()).Msg("own site before the renewal")
	}
	return check, failure
}

func (r *Renewal) expiring(t *Tenant) bool {
	soon := r.Now().Add(time.Minute).Unix()
	return t.Own.Expires <= soon
}

// askOwn makes a sealed call to the own wwwroot. Only an answer at the first
// call under the very key counts: a site that answers 7025 and heals has just
// shown that it uses another.
func (r *Renewal) askOwn(ctx context.Context, id Identity, own Peer) (SelfCheck, *Failure) {
	proof := r.Network.Prove(ctx, id, own, nil, false)
	switch f := proof.Failure; {
	case f == nil && !proof.Healed && id.Key.Certificate.Equal(proof.Certificate):
		return SelfProven, nil
	case f == nil:
		return SelfFailed, &Failure{Reason: "cannot_open", Detail: "the site uses another key than the stored one"}
	case f.Reason == "clock":
		return SelfFailed, f
	case f.Pending || answersNoMNet(f.Reason):
		return SelfUnreachable, f
	case f.Reason == "fault_7023" || f.Reason == "no_rc4":
		// Either it holds another key, or its OpenSSL cannot do RC4 and it fails
		// every sealed call with this fault. What it shows tells which.
		if shown, err := r.Network.PublicKey(ctx, own); err == nil && id.Key.Certificate.Equal(shown) {
			return SelfNoRC4, &Failure{Reason: "no_rc4", Detail: f.Detail}
		}
		return SelfFailed, f
	default:
		return SelfFailed, f
	}
}

// answersNoMNet lists answers of something that is not this site's MNet server,
// like a proxy that asks for a login: from here the site cannot be asked.
func answersNoMNet(reason string) bool {
	return slices.Contains([]string{"http_301", "http_302", "http_303", "http_307", "http_308",
		"http_400", "http_401", "http_403", "http_404", "http_405", "not_xmlrpc", "too_large"}, reason)
}

// settle drops the cached configuration until the own site proves that it uses
// id. A site that answered before, or within this very settling, is waited for
// when it does not answer now: a web server that is just reloading proves
// nothing. settle returns an error when the site keeps another key, or when
// nobody knows because neither the cache could be dropped nor the site be asked.
func (r *Renewal) settle(ctx context.Context, id Identity, own Peer, before SelfCheck) (SelfCheck, *Failure, error) {
	check, answers := SelfSkipped, answered(before)
	lost := &OwnSiteError{}
	for _, step := range ladder {
		for _, wait := range step.waits {
			if err := r.Sleep(ctx, wait); err != nil {
				return SelfFailed, nil, fmt.Errorf("wait for the own site: %w", err)
			}
			lost.Cache = r.Cache.Drop(ctx, step.width)
			if lost.Cache != nil {
				r.Log.Debug().Err(lost.Cache).Msg("cache not dropped")
			}
			if r.SelfCheck != SelfCheckOff {
				check, lost.Failure = r.askOwn(ctx, id, own)
			}
			answers = answers || answered(check)
			switch {
			case check == SelfProven, check == SelfNoRC4 && before != SelfProven:
				return check, lost.Failure, nil
			case check == SelfSkipped || check == SelfUnreachable && !answers:
				if lost.Cache != nil {
					return check, lost.Failure, lost
				}
				return check, lost.Failure, nil
			}
		}
	}
	return check, lost.Failure, lost
}

// answered tells whether a check found the site's MNet server at all.
func answered(c SelfCheck) bool { return c == SelfProven || c == SelfNoRC4 || c == SelfFailed }

// undo puts the old pair back. The new pair goes to the end of the history,
// where the next renewal drops it first: a peer may have fetched its certificate
// by a keyswap in between, and must stay able to learn better.
func (r *Renewal) undo(ctx context.Context, t *Tenant, stored Keys, report *TenantReport) (SelfCheck, error) {
	now, err := r.Store.Read(ctx)
	if err != nil {
		return SelfFailed, fmt.Errorf("read the tenant: %w", err)
	}
	if now.Pair != stored.Stored {
		return SelfFailed, ErrConflict
	}
	old := Keys{Stored: t.Pair, Expires: t.expires(), History: t.historyWithUndone(stored)}
	if err := r.Store.StoreKey(ctx, now, old); err != nil {
		return SelfFailed, fmt.Errorf("store the key: %w", err)
	}
	report.restored(t.Pair, len(old.History))
	id := t.identity()
	if id == nil {
		return SelfSkipped, r.Cache.Drop(ctx, WidthDefinition)
	}
	check, _, err := r.settle(ctx, *id, t.ownSite(id.Key.Certificate), SelfSkipped)
	if check == SelfUnreachable || check == SelfSkipped {
		// The cache that could not be dropped holds the old pair, which is current.
		return check, nil
	}
	return check, err
}

// lookAgain proves the own site once more. again is true when it had gone back
// to the old key and was brought to the new one: what peers were told in between
// may have made them fetch the old certificate.
//
// Where the site was not proven, the database is asked whether the key still is
// the stored one: a run whose lock was lost with its connection must not take
// itself for the last.
func (r *Renewal) lookAgain(ctx context.Context, t *Tenant, id Identity, report *TenantReport) (again bool, err error) {
	own := t.ownSite(id.Key.Certificate)
	check, failure := SelfUnreachable, (*Failure)(nil)
	if report.SelfCheck == SelfProven {
		check, failure = r.askOwn(ctx, id, own)
	}
	if check == SelfProven {
		return false, nil
	}
	now, err := r.Store.Read(ctx)
	switch {
	case err != nil && check == SelfUnreachable:
		return false, fmt.Errorf("%w: read the tenant: %w", errNotSeen, err)
	case err != nil:
		return false, fmt.Errorf("the own site does not answer under the new key (%w), and the database does not tell why: read the tenant: %w", failure, err)
	case now.Pair.Certificate != id.Key.Certificate.PEM:
		return false, r.keepOverwritten(ctx, id, now) // it is right to use another
	case check == SelfUnreachable:
		return false, nil
	}
	r.Log.Warn().Str("failure", failure.Error()).Msg("the own site went back to the old key")
	if report.SelfCheck, _, err = r.settle(ctx, id, own, SelfProven); err != nil {
		return false, fmt.Errorf("the own site went back to the old key: %w", err)
	}
	return true, nil
}
