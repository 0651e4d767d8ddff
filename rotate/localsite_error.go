package rotate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// LocalSiteError says that the local web server was not proven to use the stored key, and what
// prevented it.
type LocalSiteError struct {
	Failure *Failure // result of the last sealed call, nil if none was made
	Cache   error    // what could not be dropped, nil if everything was
	// Kept: the database has the key of every certificate that the web servers show.
	Kept bool
	// Late is what has ended the time first (errSafePoint, or a deadline), else nil. SlowHook: the hook took
	// most of it.
	Late     error
	SlowHook bool
	// Seen: the command only looks, so no purge was tried.
	Seen bool
	// Unseen: the web server did not answer, or its answer is not one that a cache causes.
	Unseen bool
	// Another: it was seen to use another key.
	Another bool
	// Hooked: the cache is that of a hook. Undone: the old key was stored again, and is used.
	Hooked, Undone bool
	// Pushed: an earlier run may have pushed the key that was given up.
	Pushed bool
	// Again is the command that proves or renews the key once the cause is gone, as "run: COMMAND", ""
	// for a push. A push is refused if the stored key is not one to distribute.
	Again string
	// NotPutBack is why the old key could not be stored again, nil if it was, or was not to be.
	NotPutBack error
	// Now is what was seen after the old key was stored again, nil if it was not.
	Now *LocalSiteError
	// Elsewhere is what the cache is not the cause of, like a wrong clock; nil if it may be.
	Elsewhere error
}

func (e *LocalSiteError) Error() string {
	switch {
	case e.Failure == nil:
		return "the cached configuration could not be dropped: " + oneLine(e.Cache)
	case e.Cache != nil:
		return "the call to the web server failed: " + e.Failure.Error() + "; the cache could not be purged: " + oneLine(e.Cache)
	case e.Late != nil:
		return e.Late.Error() + ": the last call failed: " + e.Failure.Error()
	}
	return "the call to the web server failed: " + e.Failure.Error()
}

func (e *LocalSiteError) Unwrap() []error { return []error{e.Cache, e.Late} }

// notFollowed is the ErrNotFollowed of a cause. It claims no other key if none was seen.
func notFollowed(cause error) error {
	var own *LocalSiteError
	if errors.As(cause, &own) && !cmp.Or(own.Now, own).Another {
		return fmt.Errorf("%w: %w", unproven{}, cause)
	}
	return fmt.Errorf("%w: %w", ErrNotFollowed, cause)
}

// unproven is an ErrNotFollowed of a web server that may use the stored key.
type unproven struct{}

func (unproven) Error() string {
	return "the web server was not proven to use the key that is stored in the database"
}
func (unproven) Unwrap() error { return ErrNotFollowed }

// notPutBack takes in the error of an undoing, which errNotPutBack or errNotProvenBack begins.
func (e *LocalSiteError) notPutBack(err error) {
	switch {
	case errors.Is(err, errNotPutBack):
		e.NotPutBack = err
	case errors.As(err, &e.Now):
		e.Now.Again = e.Again
	}
}

// SeveralCaches reports that nothing is known to be wrong with a cache store, but that the web
// servers use different keys: each has a cache of its own.
func (e *LocalSiteError) SeveralCaches() bool {
	return e.Failure != nil && e.Failure.Reason == ReasonSeveralCaches
}

// Hint is what to do, in this order: what the database needs to be written, what keeps the web server
// from being proven, and the command. A purge is advised only if no key can be lost by it.
func (e *LocalSiteError) Hint() string {
	known := e.known()
	switch {
	case e.Now != nil:
		return e.Now.Hint()
	case HintOf(e.NotPutBack) != "": // nothing is proven while the database cannot be written
		return e.hintNotPutBack(known)
	case e.Undone:
		return e.hintUndone(known)
	case known != "":
		return e.hintKnown(known)
	case e.Seen && !e.SeveralCaches():
		return SelfFailed.NextStep()
	case e.Hooked && !e.Unseen && !e.isUnnamed():
		return sentences(e.hintHook(), e.hintStored())
	}
	return e.hintStored()
}

// known is what keeps the web server from being proven, "" if that is not known. A hook that failed is
// named first: what was seen then may come of it.
func (e *LocalSiteError) known() string {
	switch {
	case e.hookFailed():
		return sentences(hintFailedHook, cmp.Or(HintOf(e.Elsewhere), e.unseen()))
	case e.SlowHook:
		return "let the --cache-hook end sooner: it runs up to three times for one key, within five minutes"
	}
	return cmp.Or(HintOf(e.Elsewhere), HintOf(e.Cache), e.unseen())
}

func (e *LocalSiteError) hookFailed() bool { return e.Hooked && e.Cache != nil }

const hintFailedHook = "correct the --cache-hook: the error, or what the hook printed above it, says why it failed"

// afterHook is err, whose hint names a hook that failed first.
func (e *LocalSiteError) afterHook(err error) error {
	if !e.hookFailed() {
		return err
	}
	return &failedHookError{err, e.Cache}
}

// failedHookError is what a web server answered after the hook had failed.
type failedHookError struct{ seen, hook error }

func (e *failedHookError) Error() string {
	if strings.Contains(e.seen.Error(), oneLine(e.hook)) {
		return e.seen.Error()
	}
	return e.seen.Error() + "; the cache could not be purged: " + oneLine(e.hook)
}

func (e *failedHookError) Unwrap() error { return e.seen }

// Hint is what to do about both.
func (e *failedHookError) Hint() string { return sentences(hintFailedHook, HintOf(e.seen)) }

// unseen is what a web server needs whose answers show no key, "" if it has not answered.
func (e *LocalSiteError) unseen() string {
	if !e.Unseen || e.Failure.Reason.Row().Unanswered {
		return ""
	}
	return cmp.Or(e.Failure.Reason.Row().NextLocal, e.Failure.Reason.NextStep(false))
}

// hintNotPutBack is for a key that is stored although the old one was to be stored again. cause is what
// keeps the web server from being proven, "" if that is not known.
func (e *LocalSiteError) hintNotPutBack(cause string) string {
	cure := HintOf(e.NotPutBack)
	if hasCommand(cause) { // the command that comes now will print it
		cause = ""
	}
	if hasCommand(cure) {
		return sentences(e.keepCaches(), cause, cure)
	}
	return sentences(cure, cause, e.keepCaches(), e.run())
}

// hintUndone is for a renewal that was undone: if nothing was pushed, all peers have the old key, which
// is the stored one.
func (e *LocalSiteError) hintUndone(known string) string {
	const again = "then start the same command again"
	last := "to see which store it is, run: renew_mnetkeys doctor --verbose"
	if e.Pushed {
		last = "peers may have the other key by an earlier push. To give them the one that is stored now, run: renew_mnetkeys push"
	}
	switch {
	case hasCommand(known):
		return known
	case e.Pushed && known != "":
		return sentences(known, e.waits(), last)
	case e.hookFailed(), e.Unseen && known != "":
		return sentences(known, e.waits(), again)
	case known != "":
		return known
	case e.Unseen:
		return sentences("the old key was restored, since the web server could not be asked whether it uses the new one", e.waits(), "when it answers again, start the same command again")
	case e.Hooked:
		return sentences("before the next run, "+e.hintHook(), last)
	case !e.SeveralCaches():
		return sentences(hintNoHook, last)
	case e.Pushed:
		return sentences(hintSeparate, last)
	}
	return hintSeparate
}

// waits is advice for a web server that was perhaps restarting, "" if it was not.
func (e *LocalSiteError) waits() string {
	if e.Hooked && e.Unseen && (e.Failure.Reason.IsServerError() || e.Failure.Reason.Row().Unanswered) {
		return "if the --cache-hook restarts the web server, let the hook wait until the web server answers"
	}
	return ""
}

// hintHook is what to do about a hook after which a web server does not use the stored key.
func (e *LocalSiteError) hintHook() string {
	return "correct the --cache-hook: it ran, and a web server still has an old configuration in its cache. It must purge core/config for every web server, also for one that no --node names. If it does, the config.php of a web server may name another database"
}

// hintKnown is for a key that is stored, if it is known why no web server was proven to use it.
func (e *LocalSiteError) hintKnown(known string) string {
	if hasCommand(known) {
		return known
	}
	return sentences(known, e.waits(), e.keepCaches(), e.run())
}

// hintStored is for a key that is stored, and that a web server was not proven to use.
func (e *LocalSiteError) hintStored() string {
	switch {
	case e.Failure == nil: // no web server was asked
		return sentences("correct what the error names", e.run())
	case e.Unseen: // nothing can be proven until it answers
		who := "the web server"
		if missing := e.Failure.missing(); len(missing) > 0 {
			who = webServers(missing)
		}
		return sentences("bring "+who+" back", e.waits(), e.keepCaches(), e.run())
	case e.Kept && e.isUnnamed():
		return "a web server that no --node names may use another key, which the database has: name it there, and purge its cache in the --cache-hook, if there is one. Then " + e.again()
	case e.Kept:
		_, command := SplitHint(e.again())
		return advisePurge + " && " + command
	}
	return saveFirst + strings.Replace(e.again(), "r", "R", 1)
}

// isUnnamed reports whether the other key is that of a web server which no --node names.
func (e *LocalSiteError) isUnnamed() bool { return e.Failure != nil && e.Failure.unnamed }

// keepCaches warns of a purge, unless nothing can be lost by it.
func (e *LocalSiteError) keepCaches() string {
	if e.Kept || errors.As(e.Elsewhere, new(*OtherNameError)) { // which says what to purge
		return ""
	}
	return "purge no cache before: a web server may have the only copy of a key"
}

func (e *LocalSiteError) again() string { return cmp.Or(e.Again, "run: renew_mnetkeys push") }
func (e *LocalSiteError) run() string   { return "then " + e.again() }

func hasCommand(hint string) bool {
	_, command := SplitHint(hint)
	return command != ""
}

// sentences is a hint of several sentences. Those that are empty are left out.
func sentences(all ...string) string {
	var hint []string
	for _, s := range all {
		if s != "" && len(hint) > 0 {
			s = strings.ToUpper(s[:1]) + s[1:]
		}
		if s != "" {
			hint = append(hint, s)
		}
	}
	return strings.Join(hint, ". ")
}

// hintNoHook is for a renewal that was undone because the web server kept the old key.
const hintNoHook = "before the next run, add a --cache-hook that purges the cache, or map core/config to a file or Redis store. If it is a file store, check that dataroot is the web server's (of a tenant vdatapath in VMoodle's register)"

// hintSeparate is the same if some web servers followed and others did not.
const hintSeparate = "the web servers use different keys, so each has a cache of its own. Before the next run, add a --cache-hook that purges the cache on each of them, or let them share a file or Redis store for core/config"

// saveFirst is for web servers of which one may have the only copy of a key in a cache of its own:
// a run on its machine saves that key.
const saveFirst = "do not purge any cache yet: a web server may have the only copy of a key. Run the command on each web server, as its user, with a --node=HOST[:PORT] for each of them: every run saves the key that only the cache there has. "

const advisePurge = "purge Moodle's caches on every web server, and restart php-fpm if APCu is used. Then prove the key. Run: php admin/cli/purge_caches.php"

// runAgain is the same command, for a key that a push would not distribute.
const runAgain = "run: renew_mnetkeys …"

const advisePushEach = saveFirst + "Run: renew_mnetkeys push"
