package main

import (
	"context"
	"errors"
	"slices"

	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// hintNoRC4 is the most useful thing to tell an operator whose OpenSSL 3 has no
// RC4: MNet's seals are RC4 and nothing else.
const hintNoRC4 = "switch OpenSSL's legacy provider on for the web server's PHP (OPENSSL_CONF naming a file that activates the default and legacy providers) and restart it"

// hintOwnSite is what is left to do by hand when nothing made the web side use
// the stored key.
const hintOwnSite = "purge Moodle's caches on every web node (php admin/cli/purge_caches.php, for a tenant of a VMoodle array php local/vmoodle/cli/purge_caches.php --host=WWWROOT; restart php-fpm where APCu is used), then run renew_mnetkeys push: it proves the stored key and renews nothing"

// hintOwnSitePush is for a command that writes nothing: a purge by hand could lose a
// key that only the cache has, which a push saves first.
const hintOwnSitePush = "run renew_mnetkeys push: it saves what only the cache has, purges the cache, and proves the site; do not purge by hand before that"

// hintUndone is for a renewal that was undone for the same cause: a push would
// distribute the old key, which everybody has.
const hintUndone = "see with renew_mnetkeys doctor which cache store cannot be cleared from here, clear it by a --cache-hook or map core/config to a file or Redis store; renew after that"

// hintRenew is for a stored key that only a new one can stand in for.
const hintRenew = "make a new key: run renew_mnetkeys without a command"

// advise fills in what is to be done about a tenant and each of its peers, where
// rotate has not said it.
func (out *output) advise(r *rotate.TenantReport) {
	if r.Hint == "" {
		r.Hint = out.hintOf(*r)
	}
	for i := range r.Peers {
		if p := &r.Peers[i]; p.Next == "" {
			p.Next = r.NextStep(*p, slices.Contains(changing, out.o.Command))
		}
	}
}

// hintOf is what to do about a tenant's error. After a signal it is a push, whatever
// else the signal has broken: renewing again would only retire one more key.
func (out *output) hintOf(r rotate.TenantReport) string {
	var sig *signalError
	var own *rotate.OwnSiteError
	hint := hintFor(r.Err)
	switch {
	case errors.As(r.Err, &own) && !slices.Contains(changing, out.o.Command):
		return hintOwnSitePush
	case r.Exit != rotate.ExitOwnSite && errors.As(r.Err, &sig):
		return interruptedHint(out.o)
	case r.Outcome == rotate.Undone && errors.As(r.Err, &own) && hint == hintOwnSite:
		return hintUndone
	}
	return hint
}

// interruptedHint is what to do after a run that a signal has ended.
func interruptedHint(o options) string {
	if !slices.Contains(changing, o.Command) || o.DryRun {
		return "nothing was changed: start it again at any time"
	}
	push := "renew_mnetkeys push"
	if o.All {
		push += " --all"
	}
	if o.All && o.Array.WithMaster {
		push += " --withmaster"
	}
	return "run " + push + ", which proves the stored key and renews nothing, or renew_mnetkeys with --if-due, which renews only if that is still due"
}

// hinter is an error that knows what to do about it.
type hinter interface{ Hint() string }

// hintFor finds what to tell an operator about an error, "" when the error says all.
func hintFor(err error) string {
	var usage *usageError
	var unusable *config.Error
	var access *moodledb.AccessError
	var history *moodledb.HistoryError
	var table *moodledb.MissingTableError
	var hints hinter
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &unusable):
		return unusable.Hint
	case errors.As(err, &access):
		return access.Hint
	case errors.As(err, &table):
		return table.Hint
	case errors.As(err, &history):
		return history.Hint
	case errors.As(err, &hints):
		return hints.Hint()
	}
	var other *rotate.OtherSiteError
	if errors.As(err, &other) {
		return "check --host, dbname and prefix, or the tenant's row in the register; where the site has moved, write its new wwwroot into its row of mnet_host first"
	}
	var own *rotate.OwnSiteError
	if errors.As(err, &own) {
		return hintOwnSite
	}
	for _, known := range sentinelHints {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return ""
}

// sentinelHints go with errors that carry nothing but their identity.
var sentinelHints = []struct {
	err  error
	hint string
}{
	{rotate.ErrMNetForcedOff, "remove $CFG->mnet_dispatcher_mode from config.php, or set it to strict: no option can switch MNet on while config.php switches it off"},
	{rotate.ErrMNetOff, "start it in the same run with --newkey: renew_mnetkeys --newkey"},
	{rotate.ErrNoOwnHost, "let a renewal make it: renew_mnetkeys --newkey"},
	{rotate.ErrNoKey, hintRenew},
	{rotate.ErrIncoherent, hintRenew},
	{rotate.ErrExpired, hintRenew},
	{rotate.ErrNothingArchived, hintRenew},
	{rotate.ErrLocked, "wait for it to end, or give --lock-wait more time"},
	{rotate.ErrConflict, "Moodle renewed by itself at expiry, or an administrator did: run renew_mnetkeys push, which distributes the key that is stored now"},
	{rotate.ErrUncertain, "run renew_mnetkeys push once the database answers: it distributes whichever key is stored"},
	{rotate.ErrOwnClock, "set the clocks of this machine and of the web server; peers refuse answers that are stamped ahead, too"},
	{rotate.ErrOwnUnreachable, "make sure that this machine can open the wwwroot, or name the web server with --node=HOST[:PORT]; --self-check=off renews without this proof, and then no link is proven; never do that on a copy of a live site"},
	{errDeadline, "give the run more time with --deadline"},
	{context.DeadlineExceeded, "the database or the site did not answer in time: see whether they run"},
}
