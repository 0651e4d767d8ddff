package rotate

import (
	"cmp"
)

// LocalSite is what the local site showed, as a predicate without a subject, and what to do about
// it, "" if nothing. A different key is named only if a web server was seen to use one.
func (r *TenantReport) LocalSite() (means, next string) {
	failed, reason := r.failedNode()
	switch {
	case r.SelfCheck != SelfFailed || failed && reason.Row().ShowsLocal == "":
		return r.SelfCheck.means(""), r.SelfCheck.NextStep()
	case failed:
		return r.SelfCheck.means(reason), cmp.Or(reason.Row().NextLocal, "to see what is wrong with the local site, run: renew_mnetkeys doctor")
	}
	return "it was not proven to use the stored key", r.SelfCheck.NextStep()
}

// failedNode is the reason of a web server that failed; of several, of one that has shown a
// different key.
func (r *TenantReport) failedNode() (failed bool, reason Reason) {
	for _, n := range r.Nodes {
		if n.SelfCheck == SelfFailed && (!failed || n.Reason.Row().ShowsLocal == "") {
			failed, reason = true, n.Reason
		}
	}
	return failed, reason
}

// means is what a web server of the local site showed, and reason why it was not proven.
func (c SelfCheck) means(reason Reason) string {
	switch c {
	case SelfProven:
		return "it uses the stored key"
	case SelfNoRC4:
		return "it shows the stored certificate, but its OpenSSL cannot do RC4, so sealed calls do not work"
	case SelfUnreachable:
		return "no MNet server answers there from this machine"
	case SelfSkipped:
		return "it was not asked"
	case SelfFailed:
		return cmp.Or(reason.Row().ShowsLocal, "it uses a different key from the one in the database")
	}
	return ""
}

// silent reports whether no call to the local site can succeed, whoever makes it.
func (c SelfCheck) silent() bool { return c == SelfUnreachable || c == SelfNoRC4 }

// NextStep is what to do about it, "" if nothing. It is never a manual purge, which could lose a
// key that only the cache has; a push saves that key first.
func (c SelfCheck) NextStep() string {
	switch c {
	case SelfNoRC4:
		return ReasonNoRC4.Row().NextLocal
	case SelfUnreachable:
		return "make sure that this machine can open the wwwroot: check its address, its web server and its MNet setting, or name the web server with --node=HOST[:PORT]"
	case SelfFailed:
		return "do not purge the caches yourself: only a push saves a key that only the cache has. It also purges the caches and tests again. Run: renew_mnetkeys push"
	}
	return ""
}
