package rotate

import (
	"cmp"
	"context"
	"errors"
	"time"

	"renew_mnetkeys/envelope"
)

// Status reports what the database says of the tenant's key and peers, without any call. With live
// it also verifies them.
func (r *Renewal) Status(ctx context.Context, live bool) TenantReport {
	return r.reported(ctx, func(ctx context.Context, report *TenantReport) error {
		t, err := r.load(ctx)
		if err != nil {
			return err
		}
		report.Outcome, report.Exit = Kept, ExitOK
		var id *Identity
		if err = t.belongs(); err == nil && live {
			if id, err = r.verifyOwn(ctx, t, report); err != nil {
				report.Exit = max(report.Exit, ExitNotRenewed)
			}
		}
		report.describeAll(t, r.Now())
		rows := func() []PeerReport {
			return r.workOn(t.Peers, func(p Peer) PeerReport { return r.peerStatus(ctx, t, p) })
		}
		report.Peers = rows()
		if err != nil || !live {
			return err
		}
		verified := r.workOn(t.Peers, func(p Peer) PeerReport { return r.verifyPeer(ctx, *id, p) })
		if over(ctx) == nil { // a peer that was called may have fetched the current certificate
			report.Peers = rows()
		}
		for i := range verified {
			p := report.Peers[i]
			verified[i].Certificate, verified[i].Holds, verified[i].lacksRow = p.Certificate, p.Holds, p.lacksRow
		}
		report.Peers = verified
		r.weighLinks(report, report.SelfCheck == SelfProven, nil)
		r.noteOtherRuns(ctx, report)
		report.exitByProof()
		return nil
	})
}

// belongs returns an error if the database belongs to another site.
func (t *Tenant) belongs() error {
	err := t.checkLocalRow()
	if errors.As(err, new(*OtherSiteError)) {
		return err
	}
	return nil
}

// describeAll describes the tenant, its retired keys, and what is wrong with its rows.
func (r *TenantReport) describeAll(t *Tenant, now time.Time) {
	r.describe(t)
	back, _, err := t.newestRetired(now)
	if r.NoBack = err; err == nil {
		r.Back = keyReport(back.Key.Certificate)
	}
	for _, h := range t.History {
		if c, err := envelope.ParseCertificate(h.Certificate); err == nil {
			r.Retired = append(r.Retired, *keyReport(c))
		}
	}
	switch {
	case !t.MNetOn():
		r.warn(t.off().Error())
	case t.belongs() != nil: // every command reports it as an error
	case t.Own == nil:
		r.warn(ErrNoLocalRow.Error())
	case t.identity() == nil:
		r.warn("no readable key is stored")
	case t.Own.Certificate != t.Pair.Certificate:
		r.warn(ErrIncoherent.Error() + "; a renewal repairs that")
	case t.Own.Expires != t.expires():
		at, verb := time.Unix(t.Own.Expires, 0), "expires"
		if !at.After(now) {
			verb = "expired"
		}
		r.warn("the local host row, which Moodle uses, says that the key " + verb + " at " + FormatTime(at) + "; a renewal repairs that")
	}
}

// peerStatus is what the rows on both sides say of a link.
func (r *Renewal) peerStatus(ctx context.Context, t *Tenant, p Peer) PeerReport {
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Outcome: Skipped, Certificate: certificateReport(p.Certificate)}
	other, err := r.counterpart(ctx, p)
	switch {
	case err != nil:
		report.Detail = "its database: " + err.Error()
	case other != nil:
		report.Holds = t.holding(other.Holds)
		switch f := (farSide{Counterpart: other}).rowFault(); {
		case f == nil:
		case other.Unknown:
			report.lacksRow = f.Detail
		default: // which of the rows its Moodle finds is not known
			report.Holds, report.Detail = "other", f.Detail
		}
	}
	return report
}

// certificateReport describes a stored certificate, nil if it cannot be read.
func certificateReport(text string) *KeyReport {
	c, err := envelope.ParseCertificate(text)
	if err != nil {
		return nil
	}
	return keyReport(c)
}

// holding says which certificate of this site the given one is.
func (t *Tenant) holding(certificate string) string {
	if certificate == "" {
		return "none"
	}
	known, err := envelope.ParseCertificate(certificate)
	if err != nil {
		return "other"
	}
	if current, err := envelope.ParseCertificate(t.Pair.Certificate); err == nil && current.Equal(known) {
		return "current"
	}
	if t.knows(known) {
		return "archived"
	}
	return "other"
}

// Has says in words which certificate of this site the peer has, "" if that was not checked.
func (p *PeerReport) Has() string {
	switch p.Holds {
	case "":
		return ""
	case "current":
		return "has the current certificate of this site"
	case "archived":
		return "has a retired certificate of this site"
	case "other":
		return "has another certificate of this site than the current one"
	case "none":
		return cmp.Or(p.lacksRow, "has no certificate of this site")
	}
	return "has " + p.Holds
}
