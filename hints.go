package main

import (
	"context"
	"errors"
	"strings"

	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/rotate"
)

// hintNoRC4 is the most useful thing to tell an operator whose OpenSSL 3 has no
// RC4: MNet's seals are RC4 and nothing else.
const hintNoRC4 = "switch OpenSSL's legacy provider on for the web server's PHP (OPENSSL_CONF naming a file that activates the default and legacy providers) and restart it"

// hintOwnSite is what is left to do by hand when nothing made the web side use
// the stored key.
const hintOwnSite = "purge Moodle's caches on every web node (php admin/cli/purge_caches.php, restart php-fpm where APCu is used), then run again"

// hintRenew is for a stored key that only a new one can stand in for.
const hintRenew = "make a new key: run renew_mnetkeys without a command"

// hinter is an error that knows what to do about it.
type hinter interface{ Hint() string }

// hintFor finds what to tell an operator about an error, "" when the error says all.
func hintFor(err error) string {
	if errors.Is(err, rotate.ErrCacheByHand) {
		return "map Moodle's cache definition core/config to a file or Redis store (Site administration, Plugins, Caching); a restart of the web server alone does not help, because it caches the key again"
	}
	var usage *usageError
	var config *moodledb.ConfigError
	var access *moodledb.AccessError
	var history *moodledb.HistoryError
	var table *moodledb.MissingTableError
	var hints hinter
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &config):
		return config.Hint
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
	{rotate.ErrMNetOff, "start it in the same run with --newkey: renew_mnetkeys --newkey"},
	{rotate.ErrNoOwnHost, "let a renewal make it: renew_mnetkeys --newkey"},
	{rotate.ErrNoKey, hintRenew},
	{rotate.ErrIncoherent, hintRenew},
	{rotate.ErrExpired, hintRenew},
	{rotate.ErrNothingArchived, hintRenew},
	{rotate.ErrLocked, "wait for it to end, or give --lock-wait more time"},
	{rotate.ErrConflict, "Moodle renewed by itself at expiry, or an administrator did; run again"},
	{rotate.ErrUncertain, "run again as soon as the database answers: the run starts from whichever key is there"},
	{rotate.ErrOwnClock, "set the clocks of this machine and of the web server; peers refuse answers that are stamped ahead, too"},
	{rotate.ErrOwnUnreachable, "check the wwwroot from this machine, or go on without this proof: --self-check=auto"},
	{errDeadline, "give the run more time with --deadline"},
	{context.DeadlineExceeded, "the database or the site did not answer in time; try again"},
}

// nextStep is what an operator does about a peer, "" where there is nothing to do.
func nextStep(p rotate.PeerReport) string {
	switch {
	case p.Outcome != rotate.Pending && p.Outcome != rotate.Refused:
		return ""
	case p.Reason == "connect", p.Reason == "timeout", strings.HasPrefix(p.Reason, "http_5"):
		return "nothing to do if it is down for now: it fetches the key at its first call; renewing again before that can lock it out"
	}
	return rotate.NextStep(p.Reason)
}
