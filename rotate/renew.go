package rotate

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
)

// SelfCheckMode says how much the proof of the local site counts.
type SelfCheckMode string

// The modes of --self-check.
const (
	SelfCheckRequire SelfCheckMode = "require" // the same as auto
	SelfCheckAuto    SelfCheckMode = "auto"    // it is asked; if that fails, nothing is stored
	SelfCheckOff     SelfCheckMode = "off"     // the site is not asked: then no link is proven
)

// Options of one renewal.
type Options struct {
	NewKey    bool   // start MNet first if it is off
	Bind      []Link // hosts to connect before the push
	SelfCheck SelfCheckMode
	LockWait  time.Duration
	Days      int // lifetime of the new certificate, 0: as the site says
	KeyBits   int

	Due DuePolicy
	// AbandonPending renews even if that drops the last key that a peer which was not reached may
	// still have.
	AbandonPending bool
	// IgnorePeers are peers that do not count as long as they are not proven. They are tried like
	// all others; no retired pair is kept for them.
	IgnorePeers Globs
	// Answers is how many answers prove a web server of the local site; 0 is five.
	Answers int
	// Nodes are the web servers of the local site, as Peer.Node names one; without them it is asked
	// at every address of its name.
	Nodes []string
	// MovedFrom is the wwwroot that the site had before it moved; "" if it has not moved.
	MovedFrom string
	// Asked has the fingerprints of the keys that a person agreed to go back to, by folded wwwroot;
	// nil if nobody was asked.
	Asked map[string]string
}

// Renewal renews one tenant. All fields must be set unless they are marked as optional; a Renewal
// is used once, by one goroutine.
type Renewal struct {
	Options
	Store   Store
	Locker  Locker
	Starter Starter
	Cache   Cache
	Network Network
	// Introducer is needed if Bind names hosts.
	Introducer Introducer
	// Counterpart gives a peer whose database is available, else nil; may be nil. It is called
	// concurrently.
	Counterpart func(context.Context, Peer) (*Counterpart, error)

	// Busy reports whether another run has the lock of a site of the array; may be nil.
	Busy func(ctx context.Context, wwwroot string) bool

	// members are the sites of the array of the run, by their folded wwwroots; nil for one site.
	members map[string]bool

	// CommandLinePHP is the version of the php on this machine, "" if there is none; may be nil.
	// Diagnose uses it.
	CommandLinePHP func(context.Context) string

	// Found are findings that Diagnose reports with its own.
	Found []Finding

	// GenerateKey is called after the tenant is known to be due; the key may have been started
	// earlier.
	GenerateKey func(bits int) (*rsa.PrivateKey, error)
	Random      io.Reader
	Now         func() time.Time
	Sleep       func(context.Context, time.Duration) error
	Log         zerolog.Logger
	// Progress is called for each finished peer, from one goroutine at a time; may be nil.
	Progress func(done, total int)
	// Waiting is called once with the limit of the wait, if another run has the lock; may be nil.
	Waiting func(time.Duration)

	answered map[string]bool // addresses of the local site that have answered in this run
	name     ownName         // with --node: what is known of the site's name
	nodes    []NodeReport    // of the last question to the local site
	started  string          // what the start of MNet by this run did; "" if it did not start it
	wasOff   *Tenant         // as it was before this run started MNet; nil if it did not
	rescued  bool            // after MNet was started, the keys in the cache were found to be kept
	planning bool            // a dry run: keys that a run would keep are not stored
}

// Run renews the tenant's key and proves it. What went wrong is in the report; the report is
// complete whatever happened. Cancelling ctx ends the run at the next safe point: before the key is
// stored nothing has changed; after it the local site is made to use the key, and only peers are
// left pending.
//
// With Options.Due, a key that does not expire soon is kept: then the key is only pushed to peers
// that are not proven.
func (r *Renewal) Run(ctx context.Context) TenantReport { return r.reported(ctx, r.run) }

// reported is the report of what do did, whatever happened.
func (r *Renewal) reported(ctx context.Context, do func(context.Context, *TenantReport) error) TenantReport {
	report := TenantReport{Outcome: Failed, SelfCheck: SelfSkipped, Exit: ExitNotRenewed, Peers: []PeerReport{}}
	if err := do(ctx, &report); err != nil {
		report.Err, report.Error = err, err.Error()
		report.Exit = exitFor(err, report.Exit)
	}
	report.Nodes = r.nodes
	report.joinRows()
	report.isCopy(func(of string) bool { return r.isSite(ctx, of) })
	report.forgetCutShort(ctx)
	return report
}

// forgetCutShort takes back that the local site is unreachable if the run was ended while the site
// was asked: calls that were cut short say nothing about it.
func (report *TenantReport) forgetCutShort(ctx context.Context) {
	if report.SelfCheck == SelfUnreachable && ctx.Err() != nil && errors.Is(report.Err, context.Cause(ctx)) {
		report.SelfCheck, report.Nodes = SelfSkipped, nil
	}
}

// exitFor gives the exit code that belongs to the error, or code if none does.
func exitFor(err error, code int) int {
	var other *OtherSiteError
	var name *OtherNameError
	var before *RenewBeforeError
	var moved *MoveError
	var start *startError
	switch {
	case errors.As(err, &start) && start.lost != nil: // whatever the cause was
		return ExitLocalSite
	case errors.Is(err, ErrLocked):
		return ExitLocked
	case errors.As(err, &other), errors.As(err, &name), errors.As(err, &before), errors.As(err, &moved):
		return ExitUsage
	case errors.As(err, &start):
		return start.exit()
	case errors.Is(err, ErrNotFollowed):
		return ExitLocalSite
	case errors.Is(err, ErrUnderWay):
		return ExitPeers
	}
	return code
}

func (r *Renewal) run(ctx context.Context, report *TenantReport) error {
	release, tenant, err := r.locked(ctx, report)
	if err != nil {
		return err
	}
	defer release()
	if err := r.checkDue(tenant); err != nil {
		return r.stopAgain(ctx, err)
	}
	if !r.Due.due(tenant, r.Now()) {
		return r.checkUp(ctx, tenant, report)
	}
	next, err := r.renew(ctx, tenant, report)
	if err != nil {
		return r.stopAgain(ctx, err)
	}
	return r.distribute(ctx, tenant, *next, r.pushToPeers, report)
}

// renew gives the tenant a new key, and proves that the local site uses it.
func (r *Renewal) renew(ctx context.Context, t *Tenant, report *TenantReport) (*Identity, error) {
	before, err := r.preflight(ctx, t)
	report.SelfCheck = before
	if err != nil {
		return nil, stoppedOr(ctx, err)
	}
	key, err := r.GenerateKey(r.KeyBits)
	next, err := r.nextIdentity(t, generated{key, err})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, stoppedOr(ctx, err)
	}
	return next, r.activate(ctx, t, *next, t.historyAfterRetiring(), before, report)
}

// locked takes the lock, and reads and describes the tenant under it.
func (r *Renewal) locked(ctx context.Context, report *TenantReport) (release func(), t *Tenant, err error) {
	release, err = lockOrWait(ctx, r.Locker.Lock, max(r.LockWait, glance), r.waiting)
	if err != nil {
		return nil, nil, stoppedOr(ctx, err)
	}
	if t, err = r.read(ctx); err != nil {
		err = r.stopAgain(ctx, err)
		release()
		return nil, nil, err
	}
	report.describe(t)
	return release, t, nil
}

// load reads the tenant as it is now. If the run was ended meanwhile, the error says what ended it.
func (r *Renewal) load(ctx context.Context) (*Tenant, error) {
	t, err := r.Store.Read(ctx)
	if err != nil {
		what := "read the tenant"
		if errors.Is(err, ErrReadOnly) { // the reads of a run that writes are for the server that takes writes
			what = noNewKey
		}
		return nil, fmt.Errorf("%s: %w", what, Ended(ctx, err))
	}
	r.knowRow(ctx, t)
	return t, nil
}

// glance is how long a run waits for a lock at least: a command that only looks takes a free lock for
// a moment, see [AnotherRuns].
const glance = time.Second / 4

// lockOrWait takes a lock. If another run has it, that is reported before a wait begins that was asked
// for.
func lockOrWait(ctx context.Context, lock func(context.Context, time.Duration) (func(), error), wait time.Duration, waiting func(time.Duration)) (func(), error) {
	if ctx.Err() != nil { // no database is asked any more
		return nil, ctx.Err()
	}
	release, err := lock(ctx, 0)
	if !errors.Is(err, ErrLocked) || wait <= 0 {
		return release, err
	}
	if wait > glance {
		waiting(wait)
	}
	return lock(ctx, wait)
}

func (r *Renewal) waiting(upTo time.Duration) {
	if r.Waiting != nil {
		r.Waiting(upTo)
	}
}

// stoppedOr gives the signal or the deadline that ended the context, instead of the error that this
// caused.
func stoppedOr(ctx context.Context, err error) error {
	if over(ctx) == nil || errors.As(err, new(*earlyError)) {
		return err
	}
	return &earlyError{Ended(ctx, err)}
}

// earlyError is the end of a run that has not changed the key. It is said once, however many steps
// pass it on.
type earlyError struct{ cause error }

func (e *earlyError) Error() string { return "stopped before anything was changed: " + e.cause.Error() }
func (e *earlyError) Unwrap() error { return e.cause }

// nextIdentity is the tenant with its new key.
func (r *Renewal) nextIdentity(t *Tenant, g generated) (*Identity, error) {
	if g.err != nil {
		return nil, fmt.Errorf("generate the key: %w", g.err)
	}
	subject := Subject{Wwwroot: t.address(), Site: t.Site, Email: t.NoReplyAddress}
	pair, err := Certify(g.key, subject, r.Now(), r.days(t), r.Random)
	if err != nil {
		return nil, err
	}
	return &Identity{Wwwroot: t.address(), Key: pair, Retired: readable(t.historyAfterRetiring()), Drift: t.Drift, Proxy: t.Proxy}, nil
}

// days is the lifetime of a new certificate: the option's, or the site's setting.
func (r *Renewal) days(t *Tenant) int { return cmp.Or(r.Days, t.LifetimeDays) }

type generated struct {
	key *rsa.PrivateKey
	err error
}
