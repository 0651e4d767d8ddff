package rotate

import "strings"

// nextSteps are what an operator does about a reason of a failure, whoever has
// failed: the own site or a peer.
var nextSteps = map[string]string{
	"database":        "make the sealed call to the own site work from this machine: row and call together prove the link",
	"dns":             "check the wwwroot; if the site is gone, delete the peer in Moodle",
	"connect":         "see whether the site is down; nothing else to do if it comes back before the history has dropped the key it holds",
	"timeout":         "see whether the site is down or slow, or give it more time with --timeout",
	"tls":             "check the site's TLS certificate, or give its authority with --ca-file",
	"not_xmlrpc":      "something else answers at the wwwroot: check the address and the web server there",
	"too_large":       "something else answers at the wwwroot: check the address and the web server there",
	"unknown_to_peer": "have the peer's administrator add this site's wwwroot exactly as it is written here",
	"mnet_off":        "have the peer's administrator switch MNet on",
	"no_rc4":          "have the peer's administrator switch OpenSSL's legacy provider on for its PHP (OPENSSL_CONF): it can open no sealed call",
	"bad_certificate": "compare the certificate in the peer's settings with the one it shows, and fetch it anew",
	"bad_signature":   "have the peer's administrator renew its key: it signs with another than that of its certificate",
	"cannot_open":     "push the key; a peer that still refuses has to delete and fetch this site's key by hand",
	"clock":           "set the clocks of both machines by NTP: what is stamped ahead is refused",
	"own_site":        "find out why this site's web server was not proven to use the key, then run: renew_mnetkeys push",
	"not_stored":      "make this site's database writable for this tool, then run: renew_mnetkeys push",
	"interrupted":     "run: renew_mnetkeys push",
	"fault_710": "fetch this site's /mnet/publickey.php from the peer's machine: it holds an older certificate and has to call back for the current one. " +
		"What stands in the way is its name server, a firewall, this site's TLS certificate where the peer verifies it, or a history that lacks the old key",
	"fault_0":    "look into the peer's log: it could not handle the call",
	"fault_17":   "look into the peer's log: it could not handle the call",
	"fault_6004": "have the peer's administrator delete and fetch this site's key: it holds another certificate of it",
	"fault_6100": "have the peer's administrator delete and fetch this site's key: the forced mode of Mahara is stuck at an expired one",
	"fault_7021": "look for what changes the call between here and the peer: it takes it for a plain one",
	"fault_7023": "fetch the peer's certificate anew in Moodle's peer settings: it has no key to the one held",
	"fault_7025": "fetch the peer's certificate anew in Moodle's peer settings: it has no key to the one held",
}

// NextStep is what to do about a failure of that reason, never "".
func NextStep(reason string) string {
	if next, ok := nextSteps[reason]; ok {
		return next
	}
	switch {
	case strings.HasPrefix(reason, "http_5"):
		return "wait for the end of its maintenance, or have its administrator look into the web server's log"
	case strings.HasPrefix(reason, "http_3"):
		return "compare the wwwroot with the address that the site uses now: redirects are not followed, and Moodle follows none"
	case reason == "http_401", reason == "http_403":
		return "let this machine and all peers through to the XML-RPC server of the site: something in front asks for a login, or filters addresses"
	case strings.HasPrefix(reason, "http_"):
		return "check the wwwroot and the web server there: there is no XML-RPC server behind it"
	}
	return "look into the log of the site that answered"
}
