package rotate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"renew_mnetkeys/envelope"
)

// expiringSoon is how long before its expiry a key is worth a warning: a cron job has usually
// renewed it by then.
const expiringSoon = 3 * 24 * time.Hour

const adviceRenew = "renew the key: that writes key pair, row and expiry again. Run: renew_mnetkeys"

// localRow examines MNet's switch and the local host row.
func (d *diagnosis) localRow() {
	t := d.tenant
	if !t.MNetOn() {
		cure, why := "enable MNet in Moodle (Networking). To enable it and make a new key, run: renew_mnetkeys --newkey", "MNet is off, so the site answers no peer"
		if t.DispatcherForced {
			cure, why = "in config.php, remove $CFG->mnet_dispatcher_mode or set it to strict", "config.php switches MNet off, so the site answers no peer"
		}
		d.own(SeverityError, string(ReasonMNetOff), cure, why, "")
	}
	var other *OtherSiteError
	switch err := t.checkLocalRow(); {
	case errors.Is(err, ErrNoLocalRow):
		d.own(SeverityError, "row_missing", "a start of MNet makes the row. Run: renew_mnetkeys --newkey", "the site has no row of its own in mnet_host", "")
	case errors.As(err, &other) && (other.Member || other.Namesake != 0):
		d.own(SeverityError, "row_other_site", other.Hint(), "the database belongs to another site: its local host row (mnet_host) says so", "%s", other.Row)
	case errors.As(err, &other):
		d.own(SeverityError, "row_other_site", "check --host, dbname and prefix. If the site is a copy, write its wwwroot into its local host row "+
			"of mnet_host (config.mnet_localhost_id), then renew: otherwise the copy passes for the original. If it has moved, run: renew_mnetkeys move --from="+shellWord(other.Row),
			"the database belongs to another site: its local host row (mnet_host) says so", "%s", other.Row)
	case t.Own.Wwwroot != t.Wwwroot:
		d.own(SeverityWarning, "row_spelling", fmt.Sprintf("write the wwwroot into the row as the peers have it, without a slash at the end (UPDATE mdl_mnet_host SET wwwroot = '%s' WHERE id = %d)", sqlText(t.Wwwroot), t.Own.ID),
			"the local host row spells the wwwroot differently, and peers compare every letter", "the row says %q", t.Own.Wwwroot)
	}
}

// localKey examines the pair, and what the local host row says of it. A pair in another site's
// database is not this site's.
func (d *diagnosis) localKey() {
	t := d.tenant
	var other *OtherSiteError
	if errors.As(t.checkLocalRow(), &other) || !t.Pair.Present() && !t.MNetOn() {
		return
	}
	switch _, err := envelope.ParseKeyPair(t.Pair.Certificate, t.Pair.PrivateKey); {
	case !t.Pair.Present():
		d.own(SeverityError, "key_missing", adviceRenew, "no key pair is stored", "")
	case errors.Is(err, envelope.ErrMismatch):
		d.own(SeverityError, "key_mismatch", adviceRenew, "the stored private key does not fit the stored certificate", "")
	case err != nil:
		d.own(SeverityError, "key_unreadable", adviceRenew, "the stored key pair cannot be read", "%v", err)
	}
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil {
		return
	}
	if err := c.CheckWwwroot(t.Wwwroot); err != nil {
		d.own(SeverityError, "certificate_other_name", adviceRenew, "the site's certificate has another name: only peers that have it already accept it", "%v", err)
	}
	if t.Own == nil {
		return
	}
	if t.Own.Certificate != t.Pair.Certificate {
		d.own(SeverityError, "row_certificate", adviceRenew,
			"the local host row has a different certificate from the key pair. Peers that ask get one that does not match the private key", "")
	}
	d.localExpiry(c)
}

func (d *diagnosis) localExpiry(c *envelope.Certificate) {
	row, now := time.Unix(d.tenant.Own.Expires, 0), d.Now()
	if !row.Equal(c.NotAfter) && d.tenant.Own.Certificate == d.tenant.Pair.Certificate {
		d.own(SeverityWarning, "row_expiry", adviceRenew,
			"the local host row and the certificate have different times of expiry", "row %s, certificate %s", FormatTime(row), FormatTime(c.NotAfter))
	}
	first := c.NotAfter
	if row.Before(first) {
		first = row
	}
	switch {
	case d.expiring(d.tenant) || !first.After(now):
		d.own(SeverityError, "key_expired", "renew now, before a call makes Moodle renew the key without a push. Run: renew_mnetkeys",
			"the key has expired: Moodle renews it by itself at the next sealed call", "on %s", FormatTime(first))
	case first.Before(now.Add(expiringSoon)):
		d.own(SeverityWarning, "key_expiring", "have cron renew the key in time (--if-due). For now, run: renew_mnetkeys",
			"the key expires soon: Moodle then renews it by itself, and no peer learns of it", "on %s", FormatTime(first))
	}
}

func (d *diagnosis) localRights(ctx context.Context) {
	if err := d.Store.CheckRights(ctx); err != nil {
		d.own(SeverityError, "rights", adviceOf(err, "give the account of config.php the right to write, on a server that is not a replica"),
			noNewKey, "%v", err)
	}
}

// localSite asks the local web server for its key, and says why no peer may be called afterwards.
func (d *diagnosis) localSite(ctx context.Context, report *TenantReport) (silent string) {
	t := d.tenant
	check, f, err := d.askSettled(ctx, t)
	report.describe(t) // another run may have renewed the key meanwhile
	report.SelfCheck, d.local = check, check
	who := "the local site"
	if slices.ContainsFunc(d.nodes, func(n NodeReport) bool { return n.SelfCheck.good() }) {
		who = "a web server of the local site"
	}
	switch {
	case err != nil: // what was seen says nothing while another run is at work
		d.own(SeverityWarning, "not_asked", adviceOf(err, adviseAgain), "it is not known yet which key the local site uses", "%v", err)
		return err.Error()
	case d.SelfCheck == SelfCheckOff:
		d.own(SeverityWarning, "not_asked", "leave out --self-check=off", localSiteWords[SelfSkipped]+": no link is proven", "")
	case check == SelfNoRC4:
		d.own(SeverityError, "no_rc4", check.NextStep(),
			"the web server's PHP has no RC4 (OpenSSL's legacy provider), so MNet cannot work, whatever the key", "")
	case check == SelfUnreachable && over(ctx) != nil:
		cause := context.Cause(ctx)
		report.SelfCheck, d.nodes = SelfSkipped, nil
		d.own(SeverityWarning, "not_asked", adviceOf(cause, adviseAgain), localSiteWords[SelfSkipped], "%v", cause)
	case check == SelfUnreachable && f.Reason == ReasonStrayOutput:
		d.own(SeverityError, string(f.Reason), f.Reason.Row().NextLocal, "no other site can read the answers of "+who, "%v", f)
	case check == SelfUnreachable && stale(check, f):
		d.own(SeverityError, string(f.Reason), f.Reason.Row().NextLocal,
			"the web server says that MNet is off, but the database says that it is on, so it is not known which key the web server uses", "%v", f)
		return "the web server of the local site says that MNet is off"
	case check == SelfUnreachable:
		d.own(SeverityError, "unreachable", f.nextUnreachable(),
			who+" could not be reached, so it is not known which key it uses", "%v", f)
	case check == SelfFailed && (f.Node != "" || f.among):
		title := "the web server of a --node answers as another site"
		if f.Node == "" {
			title = "a web server of the local site answers as another site"
		}
		err := t.stopping(check, f)
		d.own(SeverityError, "other_name", HintOf(err), title, "%v", err)
		return title
	case check == SelfFailed && f.Other != "", check == SelfFailed && f.Reason == ReasonUnknownToPeer:
		err := t.stopping(check, f)
		d.own(SeverityError, "other_name", HintOf(err), "another site answers at the wwwroot", "%v", err)
		return "another site answers at the wwwroot"
	case check == SelfFailed && f.Reason == ReasonClock:
		d.own(SeverityError, string(f.Reason), f.Reason.NextStep(false), "this machine and the local site disagree about the time", "%v", f)
	case check == SelfFailed && f.Reason == ReasonSeveralCaches:
		d.own(SeverityError, string(f.Reason), d.notUsed(ctx, f).Hint(), "this site's web servers use different keys", "%v", f)
		return "its web servers use different keys"
	case check == SelfFailed:
		d.own(SeverityError, "key_not_used", check.NextStep(),
			"the web server uses a different key from the one in the database", "%v", f)
		return "the local site does not use the stored key"
	}
	return ""
}

// historyOfOthers names the other sites whose keys the history has: the old wwwroots of a site that
// has moved, or the original of a copy.
func (d *diagnosis) historyOfOthers() {
	others := map[string]bool{}
	for _, h := range d.tenant.History {
		c, err := envelope.ParseCertificate(h.Certificate)
		if err == nil && c.SubjectAltName != "" && !envelope.SameWwwroot(c.SubjectAltName, d.tenant.address()) {
			others[c.SubjectAltName] = true
		}
	}
	for _, other := range slices.Sorted(maps.Keys(others)) {
		d.own(SeverityInfo, "history_other_name", "if this site is a copy of "+other+", renew that site too, since both have this key. If it has moved from there, there is nothing to do",
			"the key history has a key of another wwwroot", "%s", other)
	}
}

// localHistory examines the retired keys, from which peers learn a new one. An empty history means
// that the site was never renewed, or that a tool has lost the history: a peer that does not have
// the current certificate may have an older one.
func (d *diagnosis) localHistory(peers []PeerReport) {
	t := d.tenant
	needed := slices.ContainsFunc(peers, func(p PeerReport) bool { return p.outdated() && p.Next != nextRestored })
	switch {
	case len(t.History) == 0 && needed:
		d.own(SeverityWarning, "history_empty", "if a peer still refuses after a push, its administrator must delete and fetch this site's key. Run: renew_mnetkeys push",
			"the key history is empty, and a peer does not have the current certificate: if it has an older one, it cannot fetch the current one by itself", "")
	case len(t.History) == 0 && len(t.Peers) > 0:
		d.own(SeverityInfo, "history_empty", "if the site was never renewed, nothing: the next renewal begins it. If it was emptied, first push on each web server, which saves retired keys that only its cache has",
			"the key history is empty: the site was never renewed, or by a tool that keeps no history, or the history was emptied", "")
	}
	d.historyOfOthers()
	unreadable := 0
	for _, h := range t.History {
		if _, err := envelope.ParseKeyPair(h.Certificate, h.PrivateKey); err != nil {
			unreadable++
		}
	}
	if unreadable > 0 {
		d.own(SeverityWarning, "history_unreadable", "nothing to do now: these keys leave the history in time. If peers refuse the current key, restore the history from a backup",
			"retired keys cannot be read, so no peer can learn a new key by them", "%d of %d", unreadable, len(t.History))
	}
	waits := func(p PeerReport) bool { return !p.Outcome.Proven() && p.Outcome != Ignored }
	switch keep := max(t.Generations, 1); {
	case t.isFull() && slices.ContainsFunc(peers, waits):
		d.own(SeverityWarning, "history_long", "prove these peers before the next renewal, as their findings say. Of those that are gone, name each with --ignore-peer",
			"the key history is full: the next renewal drops the oldest key, which a peer that is not proven may still need", "%d keys", len(t.History))
	case len(t.History) > keep:
		d.own(SeverityInfo, "history_long", fmt.Sprintf("once every peer is proven, a renewal or a push shortens it. From %d keys on, each renewal drops the oldest one, which a peer may still need", MaxHistory),
			"the key history has more keys than Moodle keeps (openssl_generations), because a peer may still need them", "%d instead of %d", len(t.History), keep)
	}
}

// localAddress compares where this machine finds the local site with where it finds the peers: a
// proof at a private address says nothing about the route that peers on the internet take. Only
// peers that answered are looked up.
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
		d.own(severity, "address_private", "from a machine outside, check that the wwwroot resolves to a public address and that MNet answers there",
			"this machine reaches the local site at a private address, and peers on the internet take another way", "%s; peers like %s", own, outside)
	}
}

func inside(a netip.Addr) bool { return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() }
