package rotate

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
)

// SelfCheckMode says how much the proof of the own site counts.
type SelfCheckMode string

// The modes of --self-check.
const (
	SelfCheckRequire SelfCheckMode = "require" // not reachable: nothing is stored
	SelfCheckAuto    SelfCheckMode = "auto"    // not reachable: warn and go on
	SelfCheckOff     SelfCheckMode = "off"     // not asked
)

// Options of one renewal.
type Options struct {
	NewKey    bool   // start MNet first where it is off
	Bind      []Link // hosts to connect before the push
	SelfCheck SelfCheckMode
	LockWait  time.Duration
	Days      int // life of the new certificate, 0 as the site says
	KeyBits   int
}

// Renewal renews one tenant. All fields but Progress must be set; a Renewal is
// used once, by one goroutine.
type Renewal struct {
	Options
	Store   Store
	Locker  Locker
	Starter Starter
	Cache   Cache
	Network Network
	// Introducer is needed where Bind names hosts.
	Introducer Introducer

	GenerateKey func(bits int) (*rsa.PrivateKey, error)
	Random      io.Reader
	Now         func() time.Time
	Sleep       func(context.Context, time.Duration) error
	Log         zerolog.Logger
	Progress    func(done, total int) // called as peers are finished, from one goroutine at a time; may be nil
}

// safePointLimit bounds the work between storing a key and knowing that the own
// site uses it, which a cancelled context must not cut in two.
const safePointLimit = 5 * time.Minute

// Run renews the tenant's key and proves it. What went wrong stands in the
// report; the report is complete whatever happened. Cancelling ctx ends the run
// at the next safe point: before the key is stored nothing has changed, after it
// the own site is brought to use the key and only peers are left pending.
func (r *Renewal) Run(ctx context.Context) TenantReport {
	report := TenantReport{Outcome: Failed, SelfCheck: SelfSkipped, Exit: ExitNotRenewed, Peers: []PeerReport{}}
	if err := r.run(ctx, &report); err != nil {
		report.Err, report.Error = err, err.Error()
		report.Exit = exitFor(err, report.Exit)
	}
	return report
}

// exitFor gives the exit code of an error that has its own, else code.
func exitFor(err error, code int) int {
	var other *OtherSiteError
	switch {
	case errors.Is(err, ErrLocked):
		return ExitLocked
	case errors.As(err, &other):
		return ExitUsage
	}
	return code
}

func (r *Renewal) run(ctx context.Context, report *TenantReport) error {
	key := r.startGenerating()
	release, err := r.Locker.Lock(ctx, r.LockWait)
	if err != nil {
		return stoppedOr(ctx, err)
	}
	defer release()

	tenant, err := r.read(ctx)
	if err != nil {
		return err
	}
	report.describe(tenant)
	before, err := r.preflight(ctx, tenant)
	report.SelfCheck = before
	if err != nil {
		return stoppedOr(ctx, err)
	}
	next, err := r.nextIdentity(tenant, key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return stoppedOr(ctx, err)
	}
	if err := r.takeIntoUse(ctx, tenant, *next, before, report); err != nil {
		return err
	}
	return r.distribute(ctx, tenant, *next, report)
}

// stoppedOr names the signal or the deadline that ended the context, instead of
// what it broke.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("stopped before the key was touched: %w", context.Cause(ctx))
}

// takeIntoUse stores the new key and sees to it that the own web side uses it:
// database, cache, proof, in this order. It returns an error when nobody may be
// told of the key; then the old one is back, or the report says that it is not.
func (r *Renewal) takeIntoUse(ctx context.Context, t *Tenant, next Identity, before SelfCheck, report *TenantReport) error {
	// From here to the proof a signal must not leave a stored key unused.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
	defer cancel()

	keys := Keys{
		Stored:  Stored{Certificate: next.Key.Certificate.PEM, PrivateKey: next.Key.PEM},
		Expires: next.Key.Certificate.NotAfter.Unix(),
		History: t.archive(),
	}
	if err := r.Store.StoreKey(ctx, t, keys); err != nil {
		if errors.Is(err, ErrUncertain) {
			report.SelfCheck, report.Exit = SelfFailed, ExitOwnSite
		}
		return fmt.Errorf("store the key: %w", err)
	}
	r.Log.Debug().Str("sha256", next.Key.Certificate.Fingerprint()).Msg("stored the new key")

	check, failure, err := r.settle(ctx, next, t.ownSite(next.Key.Certificate), before)
	report.SelfCheck = check
	if err == nil && check == SelfUnreachable && r.SelfCheck == SelfCheckRequire {
		err = fmt.Errorf("%w: %w", ErrOwnUnreachable, failure)
	}
	if err != nil {
		return r.giveUp(ctx, t, keys, before, err, report)
	}
	if check == SelfUnreachable {
		report.warn("the own site could not be asked whether it uses the new key: " + failure.Error())
	}
	report.renewed(next.Key.Certificate, len(keys.History))
	return nil
}

// giveUp decides what becomes of a stored key that the own site does not use.
// Where the site was coherent before, the old key comes back; elsewhere there is
// nothing better to go back to, and an operator has to act.
func (r *Renewal) giveUp(ctx context.Context, t *Tenant, keys Keys, before SelfCheck, cause error, report *TenantReport) error {
	report.skipPeers(t, "not told of a key that the own site does not use")
	if worthUndoing(before, report.SelfCheck) && t.Pair.Present() {
		// Whatever time settling took, putting the old key back has its own.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
		defer cancel()
		check, err := r.undo(ctx, t, keys, report)
		if err == nil {
			report.Outcome, report.SelfCheck, report.Exit = Undone, check, ExitNotRenewed
			return fmt.Errorf("the old key is back: %w", cause)
		}
		cause = fmt.Errorf("%w; putting the old key back failed as well: %w", cause, err)
	}
	report.renewed(mustParse(keys.Certificate), len(keys.History))
	report.Outcome, report.SelfCheck, report.Exit = Failed, SelfFailed, ExitOwnSite
	return fmt.Errorf("the own site does not use the stored key: %w", cause)
}

// worthUndoing tells whether the old key is known, or at least not known not, to
// work: the site proved it before, or could not be asked at all.
func worthUndoing(before, after SelfCheck) bool {
	coherent := before == SelfProven || before == SelfNoRC4
	return coherent || after == SelfUnreachable || after == SelfSkipped
}

// distribute tells every peer, proves each, and looks at the own site again: a
// web request that had read the old pair before it was replaced may have
// refilled the cache after it was dropped.
func (r *Renewal) distribute(ctx context.Context, t *Tenant, next Identity, report *TenantReport) error {
	peers, unbound := r.bindHosts(ctx, t, next)
	report.Peers = merge(r.tellPeers(ctx, next, peers), unbound)

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), safePointLimit)
	defer cancel()
	again, err := r.lookAgain(last, t, next, report)
	if err != nil {
		report.wentBack(err)
		return fmt.Errorf("after the peers were told: %w", err)
	}
	if again {
		report.Peers = merge(r.tellPeers(ctx, next, peers), unbound)
	}
	report.noteFullHistory(t.Generations)
	report.Exit = ExitOK
	if report.Unproven() > 0 || len(unbound) > 0 || report.SelfCheck == SelfNoRC4 {
		report.Exit = ExitPeers
	}
	return nil
}

// read reads the tenant under its lock, and starts MNet where that was asked.
func (r *Renewal) read(ctx context.Context) (*Tenant, error) {
	t, err := r.Store.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	if !r.NewKey || t.MNetOn() && t.Own != nil {
		return t, nil
	}
	if err := r.allowed(ctx); err != nil {
		return nil, err
	}
	if t.Own != nil {
		if err := t.checkOwnRow(); err != nil {
			return nil, err
		}
	}
	if r.SelfCheck == SelfCheckRequire {
		if f := r.Network.Reachable(ctx, Peer{Wwwroot: t.Wwwroot, ServerURL: ownServerURL}); f != nil {
			return nil, fmt.Errorf("%w: %w", ErrOwnUnreachable, f)
		}
	}
	if err := r.Starter.StartMNet(ctx); err != nil {
		return nil, fmt.Errorf("start MNet: %w", err)
	}
	r.Log.Info().Str("wwwroot", t.Wwwroot).Msg("MNet started")
	if err := r.Cache.Drop(ctx, WidthEntry); err != nil {
		// The same entries are dropped again once the key is stored, and proven.
		r.Log.Debug().Err(err).Msg("cache not dropped after MNet was started")
	}
	if t, err = r.Store.Read(ctx); err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	return t, nil
}

// preflight finds what must stop a renewal while nothing has changed, and asks
// the own site whether it is coherent.
func (r *Renewal) preflight(ctx context.Context, t *Tenant) (SelfCheck, error) {
	if !t.MNetOn() {
		return SelfSkipped, ErrMNetOff
	}
	if err := t.checkOwnRow(); err != nil {
		return SelfSkipped, err
	}
	if err := r.allowed(ctx); err != nil {
		return SelfSkipped, err
	}
	check, failure := r.checkBefore(ctx, t)
	switch {
	case check == SelfUnreachable && r.SelfCheck == SelfCheckRequire:
		return check, fmt.Errorf("%w: %w", ErrOwnUnreachable, failure)
	case failure != nil && failure.Reason == "clock":
		return check, fmt.Errorf("%w: %w", ErrOwnClock, failure)
	}
	return check, nil
}

// allowed tells whether the key could be stored and the cache be dropped, while
// nothing has changed. A cache for hands only is tried nevertheless, where the
// own site will show whether it stood in the way.
func (r *Renewal) allowed(ctx context.Context) error {
	if err := r.Store.CheckRights(ctx); err != nil {
		return fmt.Errorf("the key could not be stored: %w", err)
	}
	err := r.Cache.Check(ctx)
	if errors.Is(err, ErrCacheByHand) && r.SelfCheck != SelfCheckOff {
		r.Log.Warn().Err(err).Msg("a cache store cannot be cleared from here; the renewal will be undone if it stands in the way")
		return nil
	}
	if err != nil {
		return fmt.Errorf("the cached configuration could not be dropped afterwards: %w", err)
	}
	return nil
}

// nextIdentity is the tenant under its new key.
func (r *Renewal) nextIdentity(t *Tenant, key <-chan generated) (*Identity, error) {
	g := <-key
	if g.err != nil {
		return nil, fmt.Errorf("generate the key: %w", g.err)
	}
	days := r.Days
	if days == 0 {
		days = t.LifetimeDays
	}
	subject := Subject{Wwwroot: t.Wwwroot, Site: t.Site, Email: t.NoReplyAddress}
	pair, err := Certify(g.key, subject, r.Now(), days, r.Random)
	if err != nil {
		return nil, err
	}
	return &Identity{Wwwroot: t.Wwwroot, Key: pair, Archived: readable(t.archive()), Drift: t.Drift}, nil
}

type generated struct {
	key *rsa.PrivateKey
	err error
}

// startGenerating makes the key while the database and the own site are asked:
// it is the longest step, and a key that is not used in the end costs nothing.
func (r *Renewal) startGenerating() <-chan generated {
	out := make(chan generated, 1)
	go func() {
		key, err := r.GenerateKey(r.KeyBits)
		out <- generated{key, err}
	}()
	return out
}

func mustParse(certificate string) *envelope.Certificate {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		panic("rotate: a certificate that was checked before it was stored: " + err.Error())
	}
	return c
}

func (r *TenantReport) describe(t *Tenant) {
	r.Wwwroot, r.History = t.Wwwroot, len(t.History)
	if c, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil {
		r.Certificate = keyReport(c)
	}
}

// renewed moves the certificate described before to previous, which the
// contract names without not_before.
func (r *TenantReport) renewed(c *envelope.Certificate, history int) {
	if old := r.Certificate; old != nil {
		r.Previous = &KeyReport{SHA256: old.SHA256, NotAfter: old.NotAfter}
	}
	r.Outcome, r.Certificate, r.History = Renewed, keyReport(c), history
}

func (r *TenantReport) skipPeers(t *Tenant, why string) {
	r.Peers = make([]PeerReport, len(t.Peers))
	for i, p := range t.Peers {
		r.Peers[i] = PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Detail: why}
	}
}

// wentBack is for an own site that does not use the new key any more.
func (r *TenantReport) wentBack(err error) {
	if errors.Is(err, ErrConflict) { // it uses a newer one
		r.Exit = ExitPeers
		return
	}
	r.Outcome, r.SelfCheck, r.Exit = Failed, SelfFailed, ExitOwnSite
}

// noteFullHistory warns of the next renewal where a peer still needs the oldest
// key that is kept.
func (r *TenantReport) noteFullHistory(generations int) {
	if r.Unproven() > 0 && r.History >= generations {
		r.warn(fmt.Sprintf("the history holds its %d keys: peers that are not proven before the next renewal may be locked out by it", generations))
	}
}

func (r *TenantReport) warn(line string) { r.Warnings = append(r.Warnings, line) }
