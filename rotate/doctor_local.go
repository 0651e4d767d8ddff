package rotate

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// expiringSoon is how long before its expiry a key is worth a warning: whoever
// renews by cron has done it by then.
const expiringSoon = 3 * 24 * time.Hour

const (
	adviceRenew = "renew the key: that writes pair, row and expiry anew"
	// advicePush brings what we hold of peers up to date.
	advicePush = "run the command push: it asks for the certificate and stores it"
)

// localRow looks at MNet's switch and the site's own row.
func (d *diagnosis) localRow() {
	t := d.tenant
	if !t.MNetOn() {
		cure := "renew with --newkey, which switches it on, or switch it on in Moodle (Networking)"
		if t.DispatcherForced {
			cure = "remove $CFG->mnet_dispatcher_mode from config.php, or set it to strict"
		}
		d.own(SeverityError, string(ReasonMNetOff), cure, "%v: it answers nobody", t.off())
	}
	var other *OtherSiteError
	switch err := t.checkOwnRow(); {
	case errors.Is(err, ErrNoOwnHost):
		d.own(SeverityError, "row_missing", "renew with --newkey, which makes the row", "%v", err)
	case errors.As(err, &other):
		d.own(SeverityError, "row_other_site", "check --host, dbname and prefix; if the site was cloned or has moved, write its wwwroot into its own row "+
			"of mnet_host (config.mnet_localhost_id) and renew, or the copy passes for the original", "%v", err)
	case t.Own.Wwwroot != t.Wwwroot:
		d.own(SeverityWarning, "row_spelling", "renew the key: that writes the wwwroot into the row",
			"its own row says %q: peers compare names to the byte", t.Own.Wwwroot)
	}
}

// localKey looks at the pair, and at what the own row says of it. A pair in
// another site's database is not ours to judge.
func (d *diagnosis) localKey() {
	t := d.tenant
	var other *OtherSiteError
	if errors.As(t.checkOwnRow(), &other) || !t.Pair.Present() && !t.MNetOn() {
		return
	}
	switch _, err := envelope.ParseKeyPair(t.Pair.Certificate, t.Pair.PrivateKey); {
	case !t.Pair.Present():
		d.own(SeverityError, "key_missing", adviceRenew, "no key pair is stored")
	case errors.Is(err, envelope.ErrMismatch):
		d.own(SeverityError, "key_mismatch", adviceRenew, "the stored private key is not that of the stored certificate")
	case err != nil:
		d.own(SeverityError, "key_unreadable", adviceRenew, "the stored key pair cannot be read: %v", err)
	}
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil {
		return
	}
	if err := c.CheckWwwroot(t.Wwwroot); err != nil {
		d.own(SeverityError, "certificate_other_name", adviceRenew, "no peer takes the own certificate: %v", err)
	}
	if t.Own == nil {
		return
	}
	if t.Own.Certificate != t.Pair.Certificate {
		d.own(SeverityError, "row_certificate", adviceRenew,
			"its own row holds another certificate than the one of the key pair: peers that ask get a certificate that its private key does not fit")
	}
	d.localExpiry(c)
}

func (d *diagnosis) localExpiry(c *envelope.Certificate) {
	row, now := time.Unix(d.tenant.Own.Expires, 0), d.Now()
	if !row.Equal(c.NotAfter) && d.tenant.Own.Certificate == d.tenant.Pair.Certificate {
		d.own(SeverityWarning, "row_expiry", adviceRenew,
			"its own row says that the key expires on %s, the certificate says %s", FormatTime(row), FormatTime(c.NotAfter))
	}
	first := c.NotAfter
	if row.Before(first) {
		first = row
	}
	switch {
	case d.expiring(d.tenant) || !first.After(now):
		d.own(SeverityError, "key_expired", "renew the key now, before a call makes Moodle do it, which tells no peer",
			"the key expired on %s: Moodle renews it by itself at the next sealed call", FormatTime(first))
	case first.Before(now.Add(expiringSoon)):
		d.own(SeverityWarning, "key_expiring", "renew the key, and have it renewed in time by cron (--if-due)",
			"the key expires on %s: Moodle then renews it by itself, and tells no peer", FormatTime(first))
	}
}

func (d *diagnosis) localRights(ctx context.Context) {
	if err := d.Store.CheckRights(ctx); err != nil {
		d.own(SeverityError, "rights", adviceOf(err, "give the account of config.php the right to write, on a server that is no replica"),
			"a renewal could not store a key: %v", err)
	}
}

// localSite asks the local web server for its key, and says why no peer may be
// called after it.
func (d *diagnosis) localSite(ctx context.Context, report *TenantReport) (silent string) {
	t := d.tenant
	check, f := d.ask(ctx, t, *t.identity(), d.answersForProof())
	report.SelfCheck = check
	switch {
	case d.SelfCheck == SelfCheckOff:
		d.own(SeverityWarning, "not_asked", "leave --self-check=off out", "%s: no link is proven", localSiteWords[SelfSkipped])
	case check == SelfNoRC4:
		d.own(SeverityError, "no_rc4", check.NextStep(),
			"the local site can open no sealed call, as its OpenSSL has no RC4: MNet cannot work, whatever the key")
	case check == SelfUnreachable && f.Reason == ReasonStrayOutput:
		d.own(SeverityError, string(f.Reason), f.Reason.NextStep(false), "no other site can read the answers of the local site: %v", f)
	case check == SelfUnreachable:
		d.own(SeverityError, "unreachable", "check from this machine: "+f.Reason.NextStep(false),
			"the local site could not be asked which key it uses: %v", f)
	case check == SelfFailed && f.Other != "", check == SelfFailed && f.Reason == ReasonUnknownToPeer:
		d.own(SeverityError, "other_name", "write the wwwroot of config.php, of VMoodle's register and of --host exactly as the site gives it", "%v", t.stopping(check, f))
		return "another site answers at the wwwroot"
	case check == SelfFailed && f.Reason == ReasonClock:
		d.own(SeverityError, string(f.Reason), f.Reason.NextStep(false), "this machine and the local site disagree about the time: %v", f)
	case check == SelfFailed && f.Reason == ReasonSeveralCaches:
		d.own(SeverityError, string(f.Reason), f.Reason.NextStep(false), "%v", f)
		return "web servers of the local site use different keys"
	case check == SelfFailed:
		d.own(SeverityError, "key_not_used", check.NextStep(),
			"the web server uses a different key from the one in the database: %v", f)
		return "the local site does not use the stored key"
	}
	return ""
}

// localHistory looks at the retired keys, with which peers learn a new one. An
// empty history is that of a site that was never renewed, or one that a tool has
// lost: a peer that does not know the current key tells which.
func (d *diagnosis) localHistory(peers []PeerReport) {
	t := d.tenant
	lost := slices.ContainsFunc(peers, func(p PeerReport) bool {
		return p.Outcome == Refused && p.Reason.Row().Outdated
	})
	switch {
	case len(t.History) == 0 && lost:
		d.own(SeverityWarning, "history_empty", "push the key; have the administrators of peers that still refuse it fetch it by hand",
			"there is no retired key, and a peer holds an older certificate than the current one: without the key to that it cannot heal by itself")
	case len(t.History) == 0 && len(t.Peers) > 0:
		d.own(SeverityInfo, "history_empty", "nothing to do: the next renewal begins it",
			"there is no retired key: the site was never renewed, or by a tool that keeps none")
	}
	unreadable := 0
	for _, h := range t.History {
		if _, err := envelope.ParseKeyPair(h.Certificate, h.PrivateKey); err != nil {
			unreadable++
		}
	}
	if unreadable > 0 {
		d.own(SeverityWarning, "history_unreadable", "nothing is lost by leaving it: it falls out in time. If peers refuse the current key, put the pair back from a backup",
			"%d of %d retired keys cannot be read, so that no peer can heal by them", unreadable, len(t.History))
	}
	if keep := max(t.Generations, 1); len(t.History) > keep {
		d.own(SeverityInfo, "history_long", "nothing to do: once every peer is proven, a renewal or a push shortens it",
			"the key history has %d keys, more than the %d that Moodle keeps (openssl_generations), because a peer may still need them", len(t.History), keep)
	}
	if !t.historyInOrder() {
		d.own(SeverityInfo, "history_order", "see that all peers are proven: then a renewal or a push shortens the key history",
			"the retired keys are not in the order of their age: when the key history is shortened, a younger one may go before an older one")
	}
}

// historyInOrder tells whether the retired keys stand newest first. A pair that
// was undone stands at the end, newer than the current one.
func (t *Tenant) historyInOrder() bool {
	current, _ := envelope.ParseCertificate(t.Pair.Certificate)
	var before *envelope.Certificate
	for i, h := range t.History {
		c, err := envelope.ParseCertificate(h.Certificate)
		if err != nil || i == len(t.History)-1 && older(current, c) {
			continue
		}
		if older(before, c) {
			return false
		}
		before = c
	}
	return true
}

// localAddress compares where this machine finds the own site with where it finds
// its peers: what is proven at a private address says nothing of the way that
// peers on the internet take. Only peers that answered are looked up.
func (d *diagnosis) localAddress(ctx context.Context, peers []PeerReport) {
	locator, ok := d.Network.(Locator)
	if !ok {
		return
	}
	own, err := locator.Address(ctx, d.tenant.Wwwroot)
	if err != nil || !inside(own) {
		return
	}
	severity, outside := SeverityInfo, ""
	for _, p := range peers {
		if p.Reason == ReasonFault710 {
			severity = SeverityWarning
		}
		if outside != "" || p.Outcome == Pending || p.Outcome == Skipped {
			continue
		}
		if a, err := locator.Address(ctx, p.Wwwroot); err == nil && !inside(a) {
			outside = p.Wwwroot
		}
	}
	if outside != "" {
		d.own(severity, "address_private", "check from a machine outside that the wwwroot resolves to a public address, and that MNet answers there",
			"this machine finds the own site at %s, and peers like %s in the internet: they do not take the way that was tried here", own, outside)
	}
}

func inside(a netip.Addr) bool { return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() }
