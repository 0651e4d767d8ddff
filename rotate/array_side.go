package rotate

import (
	"context"
	"errors"
	"strings"
	"time"

	"renew_mnetkeys/envelope"
)

// side is what is known of one member's side of its links.
type side struct {
	err error // its database could not be read, or belongs to another site
	// uses is the certificate it stores, if its web server was proven to use it; else nil.
	uses     *envelope.Certificate
	unproven *Failure // why it was not proven
	called   bool     // so its web server says
}

// askAgain is how long the run waits for a member whose web server does not use the stored key:
// another run that is between storing a key and its proof looks the same.
const askAgain = time.Second

// ask reads a member. With calls, it makes one call for which the web server must prove the stored
// key.
func (a *Array) ask(ctx context.Context, to *renewing, calls bool) side {
	found, another := a.askOnce(ctx, to, calls)
	if another && a.Template.Sleep(ctx, askAgain) == nil {
		found, _ = a.askOnce(ctx, to, calls)
	}
	return found
}

// askOnce makes no call that would make Moodle write, and keeps no place at the database during the
// call. another: the web server uses a different key from the stored one.
func (a *Array) askOnce(ctx context.Context, to *renewing, calls bool) (s side, another bool) {
	tenant := a.readSide(ctx, to)
	if tenant == nil {
		return side{err: to.report.Err}, false
	}
	r := a.Template
	if s.unproven = r.notToAsk(tenant); s.unproven != nil || !calls {
		return s, false
	}
	check, failure := r.ask(ctx, tenant, *tenant.identity(), 1)
	if check == SelfProven {
		return side{uses: tenant.identity().Key.Certificate}, false
	}
	if ctx.Err() != nil { // a call that was cut short says nothing about the site
		return side{unproven: cutShort(ctx)}, false
	}
	return side{unproven: memberFailure(tenant.Wwwroot, check, failure), called: failure != nil}, stale(check, failure)
}

// judged is a tenant's side with the failure of its own proof, if it failed in this run: that proof
// needs several answers, and whatever one more says, the next may say the opposite. t is nil for a
// member that was not selected.
func (t *renewing) judged(s side) side {
	if t == nil || s.err != nil {
		return s
	}
	if f := t.unproven(); f != nil {
		return side{unproven: f, called: true}
	}
	if f := s.unproven; f != nil && errors.Is(t.report.Err, ErrLocked) { // its web server may just be about to use what is stored
		s.unproven = &Failure{Reason: f.Reason, Detail: join("another run is working on the peer", f.Detail), Pending: true, Next: HintOf(ErrUnderWay), itself: f.itself}
	}
	return s
}

// unproven is the failure of the links to a tenant that did not prove its key in this run, nil if it
// did, or was not asked.
func (t *renewing) unproven() *Failure {
	check := t.report.SelfCheck
	if check != SelfFailed && check != SelfUnreachable {
		return nil
	}
	var own *LocalSiteError
	f := t.report.shown().failure()
	if errors.As(t.report.Err, &own) {
		f = own.Failure
	} else {
		errors.As(t.report.Err, &f)
	}
	if f == nil || f.Reason == "" {
		return nil
	}
	return memberFailure(t.member.Wwwroot, check, f)
}

// readSide reads a member. It is nil if the database cannot be read, or belongs to another site:
// its rows are then not the ones that the member uses.
func (a *Array) readSide(ctx context.Context, to *renewing) (tenant *Tenant) {
	a.within(ctx, to, func(_ *Session, r *Renewal) error {
		read, err := r.load(ctx)
		if err != nil {
			return err
		}
		if err := read.notOther(); err != nil {
			return err
		}
		tenant = read
		return nil
	})
	return tenant
}

// notOther is the error of a database that belongs to another site. One without a local host row may
// be the member's, if MNet was never on there.
func (t *Tenant) notOther() error {
	if err := t.checkLocalRow(); !errors.Is(err, ErrNoLocalRow) {
		return err
	}
	return nil
}

// notToAsk is the reason why a member's database alone shows that no link to it is proven: its web
// server could not show anything, or the call would make Moodle write.
func (r *Renewal) notToAsk(t *Tenant) *Failure {
	renew := "to make a new key for that site, run: renew_mnetkeys --host=" + shellWord(t.Wwwroot)
	switch {
	case t.MNetOn() && t.Own == nil:
		return &Failure{Reason: ReasonBadSignature, Detail: "the peer has no mnet_host row of its own", Next: "to create the row and make a new key, run: renew_mnetkeys --newkey --host=" + shellWord(t.Wwwroot)}
	case t.isOff():
		return memberOff()
	case t.identity() == nil:
		return &Failure{Reason: ReasonBadSignature, Detail: "the peer's database has no readable key", Next: renew}
	case t.Own.Certificate != t.Pair.Certificate:
		return &Failure{Reason: ReasonBadSignature, Detail: "the peer's key pair and its local host row differ", Next: renew}
	case t.hasOtherName():
		return &Failure{Reason: ReasonBadCertificate, Detail: "the peer has the key of another site, as a copy has", Next: renew}
	case r.expiring(t):
		return &Failure{Reason: ReasonBadCertificate, Detail: "the peer's key has expired", Pending: true, Next: renew}
	}
	return nil
}

// memberOff is the failure of links to a site of the array whose MNet is off.
func memberOff() *Failure {
	return &Failure{Reason: ReasonMNetOff, Detail: "MNet is off at the peer", Next: nextMemberOff}
}

// nextMemberOff is the next step for a link to a site of the array whose MNet is off.
const nextMemberOff = "the peer is a site of this array: enable its MNet or, if it is off on purpose, leave it out: write the lines exclude = URL and ignore-peer = URL into the options file"

// nextBoundOff is the same for a host of --bindhost that --ignore-peer matches.
const nextBoundOff = "--ignore-peer does not ignore a host that --bindhost names: enable its MNet, or name the other hosts one by one with --bindhost=URL"

// nextMemberRow is the next step if a site of the array does not have the current certificate of
// this site, and does not fetch it: a push to the array writes into its database.
const nextMemberRow = "the peer is a site of this array: a push to the array writes this site's key into the peer's database. Run: renew_mnetkeys push --all --withmaster"

// nextNoRow is the next step for a site of the array that has no row of this site's wwwroot.
func nextNoRow(wwwroot string) string {
	return "the peer is a site of this array. If it has a row of this site with an old wwwroot, give that row the new one, as docs/move.md says: users refer to it. If it has none, and the link is needed, connect the two sites. Run: renew_mnetkeys --bindhost=" + shellWord(wwwroot)
}

// nextOfMember is the next step for a link to a site of the array whose own side is at fault.
func nextOfMember(wwwroot string) string {
	return "the key of that site must be proven first. To see what is wrong there, run: renew_mnetkeys doctor --host=" + shellWord(wwwroot)
}

// shellWord is a wwwroot in a command that is to be pasted into a shell: it comes from whoever
// writes the table.
func shellWord(wwwroot string) string {
	if strings.ContainsAny(wwwroot, " \t\r\n'\"\\`$&;|<>()*?[]{}~#!^") {
		wwwroot = "'" + strings.ReplaceAll(wwwroot, "'", `'\''`) + "'"
	}
	return wwwroot
}

// memberFailure is the result of a member's proof of its own key, as a failure of the links to it.
func memberFailure(wwwroot string, check SelfCheck, f *Failure) *Failure {
	switch {
	case f == nil:
		return &Failure{Reason: ReasonLocalSite, Detail: "the peer's web server was not asked which key it uses", Pending: true}
	case usesAnotherKey(check, f):
		return &Failure{Reason: f.Reason, Detail: join("the peer's web server does not use its stored key", f.Detail), Next: nextOfMember(wwwroot), itself: true}
	case check == SelfFailed:
		return &Failure{Reason: f.Reason, Detail: join("the peer's web server was not proven to use its stored key", f.Detail), Next: nextOfMember(wwwroot), itself: true}
	case f.Reason == ReasonNoRC4:
		return &Failure{Reason: f.Reason, Detail: f.Detail, Pending: f.Pending, Next: nextLocal(f.Reason)}
	}
	return &Failure{Reason: f.Reason, Detail: f.Detail, Pending: f.Pending, Next: nextOfMember(wwwroot)}
}
