package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
)

// The errors that stop a renewal, for exit codes and hints.
var (
	// ErrLocked: another run has the lock of the tenant. A Locker wraps it.
	ErrLocked = error(&hinted{"another run has the lock of this tenant", "wait for it to end, or give --lock-wait more time"})
	// ErrConflict: another program has changed the key during the run. A Store wraps it.
	ErrConflict = error(&hinted{"the key was changed by another program meanwhile", "Moodle renewed the key by itself, or an administrator did. To distribute the key that is stored now, run: renew_mnetkeys push"})
	// ErrOverwritten: the key was stored, or may have been, and another program has overwritten it.
	// A Store wraps it with ErrConflict.
	ErrOverwritten = errors.New("the new key may have been stored before")
	// ErrUncertain: the database did not say whether the key was stored. A Store wraps it.
	ErrUncertain = error(&hinted{"it is not known whether the new key was stored", "no new key is needed. When the database answers again, run: renew_mnetkeys push"})
	// ErrMNetOff: the tenant's dispatcher answers no call.
	ErrMNetOff = error(&hinted{"MNet is switched off on this site", "if it is off on purpose, name the site with --exclude in runs with --all, and with --ignore-peer in runs on its peers. To start MNet and make a new key, run: renew_mnetkeys --newkey"})
	// ErrMNetForcedOff: config.php switches MNet off, and no table can change that. It is an
	// ErrMNetOff.
	ErrMNetForcedOff = error(&forcedOffError{})
	// ErrNoLocalRow: config.mnet_localhost_id names no row of mnet_host.
	ErrNoLocalRow = error(&hinted{"the site has no mnet_host row of its own", "to create the row and make a new key, run: renew_mnetkeys --newkey"})
	// ErrOwnUnreachable: the local site does not answer, or not as an MNet site.
	ErrOwnUnreachable = errors.New("the local site cannot be asked which key it uses")
	// ErrNotFollowed: the local web server uses another key than the stored one, and nothing made
	// it change.
	ErrNotFollowed = errors.New("the web server does not use the key that is stored in the database")
	// ErrOnlyCopy: the cache may have the only copy of the key that the web server uses.
	ErrOnlyCopy = errors.New("the cache was not purged: it may have the only copy of the key that the web server uses")
	// ErrOwnClock: answers of the local site have timestamps too far in the future, so that neither
	// it nor a peer can be proven.
	ErrOwnClock = error(&hinted{"the clocks of this machine and of the local site differ", "set both clocks by NTP: peers refuse answers from the future, too"})
	// ErrUndone: the old key was restored, because the local site was not proven to use the new
	// one.
	ErrUndone = errors.New("the old key was restored")
	// ErrNoKey: no readable pair is stored.
	ErrNoKey = error(&hinted{"the stored key is missing or cannot be read", adviseRenewal})
	// ErrOtherName: the stored certificate is that of another wwwroot, as in a copy of a site.
	ErrOtherName = error(&hinted{"the stored certificate has the name of another site: only peers that have it already accept it", adviseRenewal})
	// ErrIncoherent: the local host row has another certificate than the pair.
	ErrIncoherent = error(&hinted{"key pair and local host row differ", adviseRenewal})
	// ErrExpired: the key has expired, or expires so soon that Moodle renews it at its next call.
	ErrExpired = error(&hinted{"the key has expired", adviseRenewal})
	// ErrNothingRetired: there is no retired pair to go back to.
	ErrNothingRetired = error(&hinted{"the key history is empty: there is no key to go back to", adviseRenewal})
	// ErrReadOnly: the database server accepts no changes.
	ErrReadOnly = errors.New("the server is read-only")
	// ErrTwoRows: several deleted rows have the wwwroot of a host that is to be connected. Users may
	// refer to any of them (user.mnethostid). A Registry wraps it.
	ErrTwoRows = errors.New("several deleted rows have this wwwroot, which Moodle confuses: none was made active")
	// ErrNoRegister: it is not known which peers are sites of the array.
	ErrNoRegister = errors.New("the register of the array cannot be read")
	// ErrOnlyUndone: the retired pairs were all put aside before the local site used them.
	ErrOnlyUndone = error(&hinted{"the key history has only keys of renewals that were undone: there is no key to go back to", adviseRenewal})
	// ErrNoneRetired: of several tenants, none that could be read has a pair to go back to.
	ErrNoneRetired = error(&hinted{"no selected tenant that could be read has a key to go back to, nothing was changed", "to see the reason for each tenant, run: renew_mnetkeys … --dry-run"})
	// errUnreadable: the newest retired pair cannot be read.
	errUnreadable = error(&hinted{"the newest retired key cannot be read", adviseRenewal})
	// ErrOtherThanAsked: since the question another run has retired a key, or the key history could
	// not be read then, or this run has put a key into the history that only the cache had.
	ErrOtherThanAsked = error(&hinted{"the previous key is not the one that the question named, the key was not changed", "decide again: to see the keys as they are now, run: renew_mnetkeys status"})
	// errOtherWwwroot: the newest retired pair is from before the site moved.
	errOtherWwwroot = error(&hinted{"the key was made for another wwwroot", adviseRenewal})
	// errNotSeen: neither the local site nor the database could be asked again after the push.
	errNotSeen = errors.New("it is not known whether the stored key is still the one in use")
	// ErrCacheManual: a cache store that only an operator can clear. A Cache wraps it.
	ErrCacheManual = errors.New("a cache store can only be cleared manually")
	// ErrCacheInMemory: no process but the web server's can read a cache store. A Cache wraps it.
	ErrCacheInMemory = errors.New("it is in the memory of the web server's processes")
)

// hinted is an error that has only its identity and a hint.
type hinted struct{ problem, hint string }

func (e *hinted) Error() string { return e.problem }
func (e *hinted) Hint() string  { return e.hint }

// adviseAgain is the next step after a diagnosis that a signal has ended.
const adviseAgain = "nothing was changed: start it again at any time"

// adviseRenewal is the hint for a stored key that only a new one can replace.
const adviseRenewal = "to make a new key, run: renew_mnetkeys"

type forcedOffError struct{}

func (*forcedOffError) Error() string {
	return ErrMNetOff.Error() + " by $CFG->mnet_dispatcher_mode in config.php"
}
func (*forcedOffError) Unwrap() error { return ErrMNetOff }
func (*forcedOffError) Hint() string {
	return "remove $CFG->mnet_dispatcher_mode from config.php, or set it to strict: no option can switch MNet on while config.php switches it off"
}

// HintOf is the hint of the errors in the tree of err, the outermost first; "" if none has a hint.
// Every error that knows a cure has Hint() string: a sentence in lower case, without a full stop.
func HintOf(err error) string {
	hint := hintIn(err)
	if hint == "" && errors.Is(err, context.DeadlineExceeded) {
		return "the database or the site did not answer in time: check whether they run"
	}
	return hint
}

// SplitHint splits a hint, or a next step, into its sentence and the commands with which it ends. They
// stand behind its last "run: ", and " && " joins them: any text behind them would be pasted too.
// A hint without a command is all sentence.
func SplitHint(hint string) (sentence, commands string) {
	at := max(strings.LastIndex(hint, "run: "), strings.LastIndex(hint, "Run: "))
	if at < 0 {
		return hint, ""
	}
	at += len("run: ")
	return hint[:at], hint[at:]
}

func hintIn(err error) string {
	if known, ok := err.(interface{ Hint() string }); ok && known.Hint() != "" {
		return known.Hint()
	}
	wrapped := []error{errors.Unwrap(err)}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		wrapped = joined.Unwrap()
	}
	for _, e := range wrapped {
		if e == nil {
			continue
		}
		if hint := hintIn(e); hint != "" {
			return hint
		}
	}
	return ""
}

// OtherSiteError says that the database belongs to another site: its local host row has another
// wwwroot. Renewing would give that site a certificate in the tenant's name.
type OtherSiteError struct {
	Wwwroot, Row string
	// Member: Row is another site of the same array, so this one has not moved from there.
	Member bool
	// Namesake is the id of a row with Wwwroot, if the stored key is that of Wwwroot; else 0.
	Namesake int64
}

func (e *OtherSiteError) Error() string {
	return "the database of " + e.Wwwroot + " belongs to " + e.Row + " (its mnet_host row says so)"
}

// Hint is what to do about it.
func (e *OtherSiteError) Hint() string {
	switch {
	case e.Namesake != 0:
		return fmt.Sprintf("the stored key is that of %s, and row %d of mnet_host has this wwwroot: mnet_localhost_id (table config) names the wrong row. See to which of the two rows the site's own users refer (user.mnethostid). "+
			"If it is row %d, write this number there, and change no wwwroot. Otherwise do as docs/recovery.md says of clones", e.Wwwroot, e.Namesake, e.Namesake)
	case e.Member:
		return nextOtherMember
	}
	return "check --host, dbname and prefix, or the tenant's row in the register. A copy of a site must not be moved: write its wwwroot into its row of mnet_host. If the site has moved from there to " + e.Wwwroot + ", run: renew_mnetkeys move --from=" + shellWord(e.Row)
}

// nextOtherMember is the next step for a database that the register names for the wrong site.
const nextOtherMember = "both are sites of this array. If their rows of VMoodle's register name one database, correct vdbname, vdbprefix or vhostname there, and change no row of mnet_host: the database is that of a live site. If they name two, one is a copy: do with it as docs/recovery.md says of clones"

// OtherNameError says that the site which answers at the tenant's wwwroot uses another name for
// itself, or does not know that wwwroot. Upper and lower case count, also in the path. No peer
// would accept its key as the tenant's.
type OtherNameError struct {
	Wwwroot string
	Answers string // the wwwroot that it uses for itself, "" if it only does not know Wwwroot
	Node    string // the --node whose web server it is, "" if it was reached otherwise
	Among   bool   // other web servers answered as Wwwroot
}

func (e *OtherNameError) Error() string {
	switch {
	case e.Node != "":
		return "the web server of --node=" + e.Node + " answers as " + e.Answers + ", not as " + e.Wwwroot
	case e.Among:
		return "one of the web servers behind " + e.Wwwroot + " answers as " + e.Answers
	case e.Answers == "":
		return "the site that answers at " + e.Wwwroot + " does not know this wwwroot"
	case envelope.SameWwwroot(e.Answers, e.Wwwroot):
		return "the site that answers at " + e.Wwwroot + " uses another database than this one: its own mnet_host row has that wwwroot already"
	}
	return "the site that answers at " + e.Wwwroot + " calls itself " + e.Answers
}

// UnreachableError says that the local site does not answer, or not as an MNet site.
type UnreachableError struct {
	Wwwroot string
	Failure error
	// Nodes has each --node that does not answer, or that has no address; none if none was given.
	Nodes []string
	// Loopback: a web server on this machine answers for the wwwroot. Named: --node was given. Hooked:
	// a hook purges the cache, perhaps that of a web server which has the only copy of a key.
	Loopback, Named, Hooked bool
	// Off: it answers that MNet is off, although the database says that MNet is on. Purged: it says
	// so even after its cache was purged.
	Off, Purged bool
}

func (e *UnreachableError) Error() string {
	if e.Off {
		return "the web server says that MNet is off, but the database says that it is on, so it is not known which key the web server uses: " + e.Failure.Error()
	}
	return ErrOwnUnreachable.Error() + ": " + e.Failure.Error()
}

func (e *UnreachableError) Unwrap() []error { return []error{ErrOwnUnreachable, e.Failure} }

// Hint is what to do about it.
func (e *UnreachableError) Hint() string {
	f := e.failure()
	switch {
	case e.Off && !e.Purged:
		return ReasonMNetOff.Row().NextLocal
	case e.Off:
		return "the config.php of each web server must not set $CFG->mnet_dispatcher_mode to off. If each web server has a cache of its own, a --cache-hook must purge core/config on every one. If neither is the cause, " + saveFirst + "Run: renew_mnetkeys …"
	case f != nil && (f.Reason == ReasonStrayOutput || f.Reason.isRedirect()): // which nothing else cures
		return f.Reason.Row().NextLocal
	case len(e.Nodes) > 0:
		return hintMissing(e.Nodes, f)
	case e.Loopback:
		return "a web server on this machine answers for " + e.Wwwroot + ": if it is the live site, and no copy of it, add --node=127.0.0.1"
	}
	first := "make sure that this machine can open " + e.Wwwroot + ", or name its web server with --node=HOST[:PORT]"
	switch {
	case f != nil && f.Reason.Row().NextLocal != "":
		first = f.Reason.Row().NextLocal
	case f != nil && f.Reason == ReasonTimeout:
		first = "if the web server is only slow, give it more time with --timeout. Otherwise " + first
	}
	if e.Purged || e.Hooked { // an unseen purge could lose a key
		return sentences(first, runAgain)
	}
	add := "add --self-check=off"
	if e.Named {
		add = "leave out --node and " + add
	}
	return first + ". To go on without this proof (exit code 3), " + add + ", but never on a copy of a live site: its peers would accept the key of the copy"
}

// failure is the last answer, nil if it is not known.
func (e *UnreachableError) failure() *Failure {
	var f *Failure
	var own *LocalSiteError
	if errors.As(e.Failure, &own) {
		return own.Failure
	}
	_ = errors.As(e.Failure, &f)
	return f
}

// hintMissing is what to do about each --node that is missing, of which f is the failure.
func hintMissing(nodes []string, f *Failure) string {
	who, do, it := webServers(nodes), "does", "it"
	if len(nodes) > 1 {
		do, it = "do", "one of them"
	}
	first := "start " + who
	switch {
	case f != nil && f.Reason == ReasonDNS:
		return "no address of " + who + " is known here: correct --node (on the command line or in the options file), then start the same command again"
	case f != nil && f.Reason == ReasonTimeout:
		first = who + " " + do + " not answer in time. If " + it + " is only slow, give it more with --timeout; if it is down, start it"
	}
	return first + ". " + leaveOut(it) + ". Then run: renew_mnetkeys …"
}

// leaveOut is what to do about a web server that is gone. A hook that still purges it could lose a key.
func leaveOut(it string) string {
	return "If the load balancer sends no request to " + it + ", you can remove it from --node and from a --cache-hook instead (" + writtenIn + "); before it is used again, name it there and push: its cache may have the only copy of a key"
}

// writtenIn is where to correct options before the command that ends a hint: that command repeats what
// was typed.
const writtenIn = "in the command that follows, or in the options file"

func webServers(nodes []string) string {
	if len(nodes) > 1 {
		return "the web servers " + Some(nodes)
	}
	return "the web server " + nodes[0]
}

// OnlyCopyError says that the cache may have the only copy of a key that peers know, and cannot be
// read.
type OnlyCopyError struct {
	Err error
	// Unasked: the web server was not asked which key it uses (--self-check=off). The database may
	// well have that key.
	Unasked bool
	// Named: --node was given.
	Named bool
	// Pushable: a push would save the key as well as a renewal, which makes one more key each time.
	Pushable bool
}

func (e *OnlyCopyError) Error() string {
	return ErrOnlyCopy.Error() + ": " + oneLine(e.Err)
}

func (e *OnlyCopyError) Unwrap() []error { return []error{ErrOnlyCopy, e.Err} }

// Hint is what to do about it. To give up a key in memory, a hook must empty that memory: the built-in
// purge cannot.
func (e *OnlyCopyError) Hint() string {
	const keep = "do not purge Moodle's caches: peers may know only this key. "
	const lastResort = "as a last resort a renewal with --abandon-pending gives the key up: peers that know only this key then lose trust in this site"
	const mayHave = "do not purge Moodle's caches: that web server may have the only copy of a key"
	var silent *Failure
	switch {
	case e.Unasked:
		return keep + "To find out whether the database has the key that the web server uses, leave out --self-check=off; if this machine cannot open the wwwroot, name the web server with --node=HOST[:PORT]"
	case errors.As(e.Err, &silent) && len(silent.missing()) > 0:
		return sentences(mayHave, hintMissing(silent.missing(), silent))
	case errors.As(e.Err, &silent):
		return sentences(mayHave, lastResort, silent.letShow(), e.leaveOut(silent), "then "+runAgain)
	case errors.Is(e.Err, errNotShown):
		who := "if several web servers are behind the wwwroot, name each of them with --node"
		if e.Named {
			who = "wait a minute: another program may be purging the caches"
		}
		return sentences(mayHave, lastResort, who, "then "+runAgain)
	case errors.Is(e.Err, ErrCacheInMemory):
		return keep + "No other process can read it in the memory of the web server (APCu). To give up the key, so that peers which know only this key lose trust in this site, " +
			"allow this user to reload php-fpm, as docs/caches.md shows, and put the name of your service into this command. Run: renew_mnetkeys --abandon-pending --cache-hook='systemctl reload php8.2-fpm'"
	case errors.Is(e.Err, errNowhere) && !errors.Is(e.Err, errUnreadCache):
		return sentences(keep+"It may be in the cache of another web server", lastResort, "to save it, on each web server, as its user, with a --node=HOST[:PORT] for each, run: renew_mnetkeys …")
	}
	return keep + sentences(lastResort, "to save it, on the web server, as its user, with php installed, so that the cache can be read (if there are several web servers, on each, with a --node=HOST[:PORT] for each), run: renew_mnetkeys …")
}

// leaveOut is what to do instead about a web server that cannot show its key.
func (e *OnlyCopyError) leaveOut(silent *Failure) string {
	switch {
	case silent.unnamed:
		return "name it with --node, or take it out of the load balancer and of the --cache-hook; before it is used again, name it with --node and push"
	case e.Named:
		return leaveOut("it")
	}
	return ""
}

// letShow is what a web server of the local site needs that did not show its certificate.
func (f *Failure) letShow() string {
	switch row := f.Reason.Row(); {
	case row.Unanswered:
		return "start it"
	case f.Other != "":
		return "it answers as " + f.Other + ": " + correctConfig
	case f.Reason == ReasonMNetOff:
		return "it says that MNet is off, so it shows no key: set $CFG->mnet_dispatcher_mode to 'strict' in its config.php for this run"
	case f.Reason.isRedirect():
		return "let it answer without a redirect"
	case f.Reason == ReasonTLS:
		return "check its TLS certificate"
	case row.NextLocal != "" && (row.Pending || !f.Reason.isClientError()): // of 403 and 404 it speaks of other pages
		return row.NextLocal
	}
	return "let it show its page mnet/publickey.php to this machine"
}

// SharedCacheError says that Moodle's cache has the key of another site in the place of this one's,
// and that the other site's web server uses it.
type SharedCacheError struct {
	Wwwroot string // of the other site
}

func (e *SharedCacheError) Error() string {
	return "Moodle's cache has the key of " + e.Wwwroot + ": the two sites share one cache, so each can get the key of the other"
}

// Hint is what to do about it.
func (e *SharedCacheError) Hint() string {
	return "do not purge the cache. In Moodle (Site administration > Plugins > Caching), give the cache store of the site that is a copy another prefix or another server. Then run: renew_mnetkeys …"
}

const correctConfig = "the config.php of that web server may have another wwwroot, or name another database: correct it there, and restart its PHP"

// Hint is what to do about it.
func (e *OtherNameError) Hint() string {
	const config = correctConfig + ". If the error stays, that web server has the settings of another site in a cache of its own: purge that cache"
	switch {
	case e.Node != "":
		return "correct --node: it must name a web server of " + e.Wwwroot + ". If it does, " + config + ". Leave --node out only if that web server is not the site's"
	case e.Among:
		return "to find the web server, name each with --node. " + strings.ToUpper(config[:1]) + config[1:]
	}
	return "write the wwwroot exactly as the site does, letters of the path too: in --host, in config.php, in VMoodle's register, and in the local host row (mnet_host)"
}

// oneLine is the text of an error that may be several, of several cache stores or files.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
