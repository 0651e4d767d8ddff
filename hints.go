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
	{rotate.ErrMNetOff, "start it in the same run with --newkey"},
	{rotate.ErrNoOwnHost, "let the run make it with --newkey"},
	{rotate.ErrLocked, "wait for it to end, or give --lock-wait more time"},
	{rotate.ErrConflict, "Moodle renewed by itself at expiry, or an administrator did; run again"},
	{rotate.ErrUncertain, "run again as soon as the database answers: the run starts from whichever key is there"},
	{rotate.ErrOwnClock, "set the clocks of this machine and of the web server; peers refuse answers that are stamped ahead, too"},
	{rotate.ErrOwnUnreachable, "check the wwwroot from this machine, or go on without this proof: --self-check=auto"},
	{errDeadline, "give the run more time with --deadline"},
	{context.DeadlineExceeded, "the database or the site did not answer in time; try again"},
}

// nextSteps say what an operator does about a reason.
var nextSteps = map[string]string{
	"dns":             "check the peer's wwwroot; if the site is gone, delete the peer in Moodle",
	"connect":         "nothing to do if it is down for now: it fetches the key at its first call; renewing again before that can lock it out",
	"timeout":         "nothing to do if it is down for now: it fetches the key at its first call; renewing again before that can lock it out",
	"tls":             "check the peer's TLS certificate, or give its authority with --ca-file",
	"not_xmlrpc":      "something else answers at the peer's wwwroot: check its address and its web server",
	"too_large":       "something else answers at the peer's wwwroot: check its address and its web server",
	"unknown_to_peer": "have the peer's administrator add this site's wwwroot exactly as it is written here",
	"mnet_off":        "have the peer's administrator switch MNet on; it then fetches the key at its first call",
	"no_rc4":          "the peer's OpenSSL cannot do RC4: have its administrator switch the legacy provider on",
	"bad_certificate": "another site answers at the peer's wwwroot, or its certificate names another: compare both in the peer's settings",
	"bad_signature":   "the peer signs with a key that is not in its certificate: have its administrator renew its key",
	"cannot_open":     "the peer still seals to an old certificate of this site: have its administrator fetch the new one",
	"clock":           "set the clocks of both machines",
	"fault_710":       "the peer could not fetch the new certificate from this site: check that it reaches this wwwroot, and its TLS settings for it",
	"fault_0":         "look into the peer's log: it could not handle the call",
	"fault_17":        "look into the peer's log: it could not handle the call",
	"fault_6004":      "the peer holds another certificate of this site: have its administrator delete and fetch it",
	"fault_7021":      "the peer takes the call for a plain one: something between changes what is sent",
	"fault_7025":      "fetch the peer's certificate anew in Moodle's peer settings",
	"fault_7023":      "fetch the peer's certificate anew in Moodle's peer settings",
	"fault_6100":      "Mahara's forced mode is stuck at an expired certificate: have its administrator delete and fetch this site's key",
}

func nextStep(p rotate.PeerReport) string {
	if p.Outcome != rotate.Pending && p.Outcome != rotate.Refused {
		return ""
	}
	if next, ok := nextSteps[p.Reason]; ok {
		return next
	}
	switch {
	case strings.HasPrefix(p.Reason, "http_5"):
		return "nothing to do if it is in maintenance: it fetches the key at its first call; renewing again before that can lock it out"
	case strings.HasPrefix(p.Reason, "http_3"):
		return "the peer's wwwroot moved: compare it with the address the site uses now"
	case strings.HasPrefix(p.Reason, "http_"):
		return "check the peer's address and its web server"
	}
	return ""
}
