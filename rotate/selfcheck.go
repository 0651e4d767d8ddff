package rotate

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// LocalSite is what the local site showed, as a predicate without a subject, and what to do about
// it, "" if nothing. A different key is named only if a web server was seen to use one.
func (r *TenantReport) LocalSite() (means, next string) {
	n := r.shown()
	means, f := n.means(), n.failure()
	if n.SelfCheck == SelfUnreachable && n.Reason != "" {
		means, f = r.unreached(n)
	}
	switch {
	case errors.As(r.Err, new(*LocalSiteError)), errors.As(r.Err, new(*UnreachableError)), errors.As(r.Err, new(*OtherNameError)), errors.Is(r.Err, ErrOnlyCopy): // one state has one next step
		return means, cmp.Or(r.Hint, HintOf(r.Err))
	case n.SelfCheck == SelfUnreachable:
		return means, f.nextUnreachable()
	case n.SelfCheck != SelfFailed || n.Reason == "" || n.usesAnotherKey():
		return means, n.SelfCheck.NextStep()
	}
	return means, cmp.Or(n.Reason.Row().NextLocal, "to see what is wrong with the local site, run: renew_mnetkeys doctor")
}

// unreached says which web servers were not reached, of which n is the worst, and why. The failure has
// each --node that is missing as that of n is.
func (r *TenantReport) unreached(n NodeReport) (means string, f *Failure) {
	f = n.failure()
	f.asked = nil
	var addresses, reasons []string
	for _, other := range r.Nodes {
		if other.SelfCheck != SelfUnreachable {
			continue
		}
		if g := other.failure(); g.absence() == f.absence() {
			f.asked = append(f.asked, g.asked...)
		}
		addresses = append(addresses, other.Address)
		if reason := string(other.Reason); !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	means = n.means()
	if len(r.Nodes) > 1 || len(f.asked) > 0 {
		means = "no MNet server answers at " + Some(addresses) + " from this machine"
	}
	return means + " (" + strings.Join(reasons, ", ") + ")", f
}

// shown is what the local site showed: if it was not proven, the worst of what its web servers
// showed.
func (r *TenantReport) shown() NodeReport {
	all := NodeReport{SelfCheck: r.SelfCheck}
	if r.SelfCheck != SelfFailed && r.SelfCheck != SelfUnreachable || len(r.Nodes) == 0 {
		return all
	}
	worst := slices.MinFunc(r.Nodes, func(a, b NodeReport) int { return cmp.Compare(a.rank(), b.rank()) })
	if worst.SelfCheck != r.SelfCheck {
		return all
	}
	return worst
}

func (n NodeReport) failure() *Failure {
	return &Failure{Reason: n.Reason, Detail: n.Detail, Other: n.Other, Pending: n.pending, asked: n.asked}
}
func (n NodeReport) rank() int { return n.SelfCheck.rank(n.failure()) }
func (n NodeReport) usesAnotherKey() bool {
	return n.Reason != "" && usesAnotherKey(n.SelfCheck, n.failure())
}

// Means is what the web server showed, as a predicate.
func (n NodeReport) Means() string {
	if n.Detail != "" {
		return join(n.means(), n.Detail)
	}
	return n.means()
}

func (n NodeReport) means() string {
	switch n.SelfCheck {
	case SelfProven:
		return "it uses the stored key"
	case SelfNoRC4:
		return "it shows the stored certificate, but its OpenSSL cannot do RC4, so sealed calls do not work"
	case SelfUnreachable:
		return "no MNet server answers there from this machine"
	case SelfSkipped:
		return "it was not asked by a sealed call"
	case SelfFailed:
		if n.usesAnotherKey() {
			return "it uses a different key from the one in the database"
		}
		return cmp.Or(n.Reason.Row().ShowsLocal, "it was not proven to use the stored key")
	}
	return ""
}

// nextUnreachable is what to do about a local site that does not answer.
func (f *Failure) nextUnreachable() string {
	switch {
	case f.Reason.Row().NextLocal != "":
		return f.Reason.Row().NextLocal
	case len(f.missing()) > 0:
		return (&UnreachableError{Failure: f, Nodes: f.missing()}).Hint()
	}
	return SelfUnreachable.NextStep()
}

// absence is how a web server is missing: ReasonDNS if it has no address, ReasonConnect if it does not
// answer, "" if neither is so.
func (f *Failure) absence() Reason {
	switch {
	case f == nil:
		return ""
	case f.Reason == ReasonTimeout:
		return ReasonConnect
	case f.Reason == ReasonConnect, f.Reason == ReasonDNS:
		return f.Reason
	}
	return ""
}

// missing has each --node that does not answer, or has no address; none if another reason is known.
func (f *Failure) missing() []string {
	if f.absence() == "" {
		return nil
	}
	return f.asked
}

// good reports whether the web server was seen to use the stored key, or only to show it.
func (c SelfCheck) good() bool { return c == SelfProven || c == SelfSkipped }

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
