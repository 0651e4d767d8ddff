package rotate

import "strings"

// nextSteps are what an operator does about a reason of a failure, whoever has
// failed: the local site or a peer.
var nextSteps = map[string]string{
	"database":        "see why the peer's database could not be read or written, then run renew_mnetkeys push",
	"dns":             "check the wwwroot; if the site is gone, delete the peer in Moodle",
	"tls":             "check the site's TLS certificate, or give its authority with --ca-file",
	"not_xmlrpc":      "something else answers at the wwwroot: check the address and the web server there",
	"too_large":       "something else answers at the wwwroot: check the address and the web server there",
	"unknown_to_peer": "have the peer's administrator add this site's wwwroot exactly as it is written here",
	"mnet_off":        "have the peer's administrator enable MNet; the peer then fetches the key by itself",
	"no_rc4":          "have the peer's administrator switch OpenSSL's legacy provider on for its PHP (OPENSSL_CONF): it can open no sealed call",
	"bad_certificate": "compare the certificate in the peer's settings with the one it shows, and fetch it anew",
	"bad_signature":   "have the peer's administrator renew its key: it signs with another than that of its certificate",
	"clock":           "set the clocks of both machines by NTP: an answer that is stamped ahead, or a day in the past, is refused",
	"stray_output":    "have that site print nothing around its answers: switch off display_errors and debugdisplay, and look for an echo or a blank line outside <?php in its config.php",
	"several_caches":  "run renew_mnetkeys push on that site, which saves what only a cache has; then purge Moodle's caches on every web server of it, restart php-fpm where APCu is used, and push again",
	reasonOwnSite:     "prove this side of the link first: renew_mnetkeys doctor says what is wrong with the local site; then run renew_mnetkeys push",
	reasonNotStored:   "see why the database did not take this peer's certificate, then run renew_mnetkeys push",
	reasonInterrupted: "run renew_mnetkeys push. The run ended before this peer was proven, and no new key is needed",
	"fault_710": "on the peer's server, fetch this site's /mnet/publickey.php: the peer has an older certificate of this site and must call back for the current one. " +
		"If that fails, fix its name server, a firewall, or the TLS certificate of this site",
	"fault_0":    "look into the peer's log: it could not handle the call",
	"fault_17":   "look into the peer's log: it could not handle the call",
	"fault_6004": "have the peer's administrator delete and fetch this site's key: the peer has another certificate of it",
	"fault_6100": "have the peer's administrator delete and fetch this site's key: the forced mode of Mahara is stuck at an expired one",
	"fault_7021": "look for what changes the call between here and the peer: the peer takes it for a plain one",
}

// Until a push was made, that may be the cure; after it, the peer's administrator
// has to act. So these have two forms.
var nextStepsOfPush = map[string][2]string{
	"cannot_open": {"run renew_mnetkeys push. If the peer still refuses, its administrator must delete and fetch this site's key",
		"have the peer's administrator delete and fetch this site's key: the key was sent, and the peer still uses an older certificate of this site"},
	"fault_7023": {"run renew_mnetkeys push, which stores the certificate that the peer proves to use",
		"fetch the peer's certificate anew in Moodle's peer settings: the peer has no key to the one that this site has"},
	"fault_7025": {"run renew_mnetkeys push, which stores the certificate that the peer proves to use",
		"fetch the peer's certificate anew in Moodle's peer settings: the peer has no key to the one that this site has"},
}

// NextStep is what to do about a failure of that reason, never "". pushed says that
// the key has just been sent to the peer.
func NextStep(reason string, pushed bool) string {
	if next, ok := nextSteps[reason]; ok {
		return next
	}
	if forms, ok := nextStepsOfPush[reason]; ok {
		if pushed {
			return forms[1]
		}
		return forms[0]
	}
	switch {
	case reason == "connect", reason == "timeout", strings.HasPrefix(reason, "http_5"):
		return "check whether the site is down. If it is back, nothing else is needed: it fetches the key at its first call, or at the next renew_mnetkeys push"
	case strings.HasPrefix(reason, "http_3"):
		return "compare the wwwroot with the address that the site uses now: redirects are not followed, and Moodle follows none"
	case reason == "http_401", reason == "http_403":
		return "let this machine and all peers through to the XML-RPC server of the site: something in front asks for a login, or filters addresses"
	case strings.HasPrefix(reason, "http_"):
		return "check the wwwroot and the web server there: there is no XML-RPC server behind it"
	}
	return "look into the log of the site that answered"
}

// NextStep is what to do about one peer of the report, "" where there is nothing to
// do. It fits what the run has seen: a peer that could not fetch the key from a
// local site that did not answer has no fault of its own.
func (r *TenantReport) NextStep(p PeerReport, pushed bool) string {
	switch {
	case p.Outcome.Proven() || p.Outcome == Skipped || p.Outcome == Ignored:
		return ""
	case r.SelfCheck == SelfUnreachable && p.Reason == "fault_710":
		return "bring the local site back, which did not answer: the peer could not fetch the key from it. Then run renew_mnetkeys push"
	}
	return NextStep(p.Reason, pushed)
}
