package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"renew_mnetkeys/envelope"
)

// preflightAll locks and checks every tenant before the first key is written. The key of a tenant
// that passes is begun.
func (a *Array) preflightAll(ctx context.Context, tenants []*renewing, keys *keyMaker, failures *failureLimit) {
	a.lockAll(ctx, tenants)
	a.each("check", tenants, func(t *renewing) {
		if cause := failures.reached(); cause != nil {
			a.leaveOut(t, cause)
			return
		}
		defer failures.checked(t)
		if t.report.Err != nil { // not locked
			return
		}
		a.within(ctx, t, func(s *Session, r *Renewal) error { return a.preflight(ctx, t, s, r) })
		if err := t.report.Err; ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
			err = stoppedOr(ctx, err)
			t.report.Err, t.report.Error = err, err.Error()
		}
		if t.report.Err == nil && !t.kept && !a.RollBack {
			keys.begin(t)
		}
	})
}

// lockAll takes the locks one after the other, in the same order in all runs. Otherwise two runs that
// begin at the same moment would each have some of the locks, and wait for those of the other.
func (a *Array) lockAll(ctx context.Context, tenants []*renewing) {
	// The wait for locks is one for the whole run: if another run has many locks, the wait is not
	// paid for each.
	until := a.Template.Now().Add(a.Template.LockWait)
	var once sync.Once
	waiting := func(upTo time.Duration) { once.Do(func() { a.Template.waiting(upTo) }) }
	least := glance
	byName := func(x, y *renewing) int { return strings.Compare(x.member.Wwwroot, y.member.Wwwroot) }
	for _, t := range slices.SortedFunc(slices.Values(tenants), byName) {
		release, err := lockOrWait(ctx, t.member.Lock, max(until.Sub(a.Template.Now()), least), waiting)
		if err == nil {
			t.release = release
			continue
		}
		if errors.Is(err, ErrLocked) {
			least = 0 // by another run, which may have the locks of many
		}
		err = stoppedOr(ctx, err)
		t.report.Err, t.report.Error = err, err.Error()
		t.report.Exit = exitFor(err, t.report.Exit)
	}
}

func (a *Array) preflight(ctx context.Context, t *renewing, s *Session, r *Renewal) error {
	tenant, err := t.read(ctx, s, r)
	if err != nil {
		return err
	}
	t.kept = a.keeps(tenant)
	if t.fresh = a.fresh(tenant) && t.kept; t.kept {
		return a.keep(ctx, t, r, tenant)
	}
	if a.RollBack {
		if err := r.mayGoBack(tenant); err != nil {
			return err
		}
	} else if t.starts = a.starts(tenant); t.starts {
		return r.mayStart(ctx, tenant)
	}
	if err := a.ready(ctx, t, r, tenant); err != nil {
		return stoppedOr(ctx, err)
	}
	return nil
}

// read gives the tenant as it is, and what the report says of it. The error is also that of a
// --renew-before or a --from that does not fit the tenant.
func (t *renewing) read(ctx context.Context, s *Session, r *Renewal) (*Tenant, error) {
	tenant, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	t.report.describe(tenant)
	if r.MovedFrom != "" {
		t.report.Moved.From = tenant.nameBefore(r.MovedFrom)
		return tenant, r.mayMove(ctx, tenant, s.PeerRows)
	}
	return tenant, r.checkDue(tenant)
}

// ready finds what must stop the renewal of a tenant with MNet on.
func (a *Array) ready(ctx context.Context, t *renewing, r *Renewal, tenant *Tenant) (err error) {
	t.before, err = r.preflight(ctx, tenant)
	t.report.SelfCheck, t.checked = t.before, keyOf(tenant)
	return err
}

// starts reports whether MNet is to be started before the renewal (--newkey).
func (a *Array) starts(t *Tenant) bool {
	return a.Template.NewKey && !a.PushOnly && !a.RollBack && t.isOff()
}

// keeps reports whether the tenant's key is left as it is.
func (a *Array) keeps(t *Tenant) bool {
	switch {
	case a.RollBack, a.PushOnly:
		return a.PushOnly
	case a.Template.MovedFrom != "":
		return a.Template.settled(t)
	}
	due := a.Template.Due
	// A key that is due is renewed however young it is: it lives for hours, or the local host row
	// says that it expires early.
	return !a.starts(t) && (!due.due(t, a.Template.Now()) || !due.OnlyIfDue && a.fresh(t))
}

// fresh reports whether a tenant was renewed a short while ago: by a run that may have been killed
// before it pushed to all peers, or by Moodle itself; the certificate does not say which. A key
// that is not valid yet was made with a wrong clock, and the run does not wait for it. One that can
// be neither pushed nor proven, such as one that has expired in the local host row, is not fresh:
// renewing is the cure.
func (a *Array) fresh(t *Tenant) bool {
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil || a.Template.mayKeep(t) != nil {
		return false
	}
	now := a.Template.Now()
	return !now.Before(c.NotBefore) && now.Sub(c.NotBefore) < a.Fresh && c.NotAfter.After(now)
}

// keep makes the local site use the key that is stored.
func (a *Array) keep(ctx context.Context, t *renewing, r *Renewal, tenant *Tenant) error {
	id, err := r.keep(ctx, tenant, &t.report)
	if err != nil {
		return t.keepFailed(ctx, r, tenant.identity(), err)
	}
	a.proven(t, r)
	t.use(*id)
	t.had = tenant.certificates()
	t.report.NotDue, t.report.DueAt = !a.PushOnly, r.Due.dueAt(tenant)
	return nil
}

// renewAll gives the tenants that passed the checks their keys: the canaries first, then the others
// unless too many fail. A tenant that was renewed a short while ago, and uses its key, is canary
// enough: after a run that was killed, the next must not stop at the first tenant left, whose
// failure would not have stopped the first run.
func (a *Array) renewAll(ctx context.Context, tenants []*renewing, failures *failureLimit) {
	due := slices.DeleteFunc(slices.Clone(tenants), func(t *renewing) bool { return t.kept || t.report.Err != nil })
	canaries := a.Canary
	for _, t := range tenants {
		if t.fresh && t.report.SelfCheck == SelfProven {
			canaries--
		}
	}
	canaries = min(max(canaries, 0), len(due))
	for _, t := range due[:canaries] {
		t.canary = true
	}
	a.renewSome(ctx, "canary", due[:canaries], failures)
	for _, t := range due[:canaries] {
		if t.failed() {
			failures.stop("the canary %s failed", t.member.Wwwroot)
		}
	}
	a.renewSome(ctx, "renew", due[canaries:], failures)
}

// renewSome renews tenants as long as nothing stops the run. It waits for a tenant's key before it
// takes a place at the database, so that few places do not keep cores from making keys.
func (a *Array) renewSome(ctx context.Context, phase string, due []*renewing, failures *failureLimit) {
	stopped := func() error { return cmpErr(context.Cause(ctx), failures.reached()) }
	a.each(phase, due, func(t *renewing) {
		var key generated
		err := stopped()
		if err == nil && !a.RollBack {
			key = <-t.key
			err = stopped()
		}
		if err != nil {
			a.leaveOut(t, err)
			return
		}
		a.within(ctx, t, func(_ *Session, r *Renewal) error { return r.stopAgain(ctx, a.renew(ctx, t, r, key)) })
		failures.renewed(t)
	})
}

// renew stores one tenant's new key and proves its local site.
func (a *Array) renew(ctx context.Context, t *renewing, r *Renewal, key generated) error {
	tenant, err := r.read(ctx)
	// The check may have been long ago: another program may have renewed since, in the table alone,
	// so that only the cache has the key in use.
	if err == nil && (t.starts || keyOf(tenant) != t.checked) {
		err = a.ready(ctx, t, r, tenant)
	}
	if err != nil {
		return err
	}
	var next *Identity
	history := tenant.historyAfterRetiring()
	if a.RollBack {
		next, history, err = r.goesBackTo(tenant)
	} else {
		next, err = r.nextIdentity(tenant, key)
	}
	if err != nil {
		return err
	}
	err = r.activate(ctx, tenant, *next, history, t.before, &t.report)
	if a.RollBack {
		err = rollbackUndone(err)
	}
	if err != nil {
		return t.keepFailed(ctx, r, next, err)
	}
	a.proven(t, r)
	t.use(*next)
	t.had = tenant.certificates()
	return nil
}
