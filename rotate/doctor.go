package rotate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Severity is how much a finding matters.
type Severity string

// The severities of a finding.
const (
	SeverityError   Severity = "error"   // does not work
	SeverityWarning Severity = "warning" // will fail some day, or under some condition
	SeverityInfo    Severity = "info"    // good to know
)

// Finding is one problem or fact that the diagnosis of a tenant has found.
type Finding struct {
	// Code is a stable word. Its beginning names its subject: own_ the tenant itself, cache_ a
	// store of Moodle's cache, peer_ one peer, peers_ several. If a sealed call to a peer failed,
	// it is peer_ and the reason of the failure, like peer_timeout or peer_fault_710.
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // wwwroot of the peer or tenant, or name of the cache store
	Message  string   `json:"message"` // the cause, one line: the same for all findings with it
	Detail   string   `json:"detail"`  // what was seen here, one line; "" if Message says all
	Next     string   `json:"next"`    // what to do about it; never empty
	// Peers are the wwwroots of the peers that a peers_ code is about, in the order of the peers.
	Peers []string `json:"peers,omitempty"`
}

// Text is the message with its detail.
func (f Finding) Text() string {
	if f.Detail == "" {
		return f.Message
	}
	return f.Message + ": " + f.Detail
}

// diagnosis is one tenant while it is diagnosed.
type diagnosis struct {
	*Renewal
	tenant   *Tenant
	local    SelfCheck // what the local site showed
	report   TenantReport
	findings []Finding
}

// Diagnose finds out what is wrong with the tenant's MNet. It keeps no lock and writes nothing,
// here or at a peer; if a peer fetches this site's certificate because of a call, the peer itself
// writes its own row, as it would at any other call. The report's findings are in the order of
// their severity, the worst first; its peers are what the sealed calls found, and its Exit is that
// of exitOf. Err is set only if the tenant could not be read at all.
func (r *Renewal) Diagnose(ctx context.Context) TenantReport {
	d := &diagnosis{Renewal: r, findings: slices.Clone(r.Found)}
	d.report = d.reported(ctx, d.run)
	if err := d.report.Err; err != nil {
		d.findings = append(d.findings, Unreadable(ctx, d.report.Wwwroot, err))
	} else {
		d.report.Exit = exitOf(d.findings)
	}
	slices.SortStableFunc(d.findings, func(a, b Finding) int { return cmp.Compare(a.Severity.rank(), b.Severity.rank()) })
	d.report.Findings = d.findings
	return d.report
}

func (d *diagnosis) run(ctx context.Context, report *TenantReport) error {
	t, err := d.load(ctx)
	if err != nil {
		return err
	}
	d.tenant = t
	report.describe(t)
	report.Outcome = Kept

	d.localRow()
	d.localKey()
	d.localRights(ctx)
	d.cacheStores(ctx)
	d.peerRows()
	silent := d.mustNotCall()
	if silent == "" {
		silent = d.localSite(ctx, report)
	}
	report.skipPeers(t, "not called: "+silent)
	if silent == "" {
		report.Peers = d.callPeers(ctx, *t.identity(), report)
		d.weighLinks(report, report.SelfCheck == SelfProven, nil)
		d.nextOfLinks(ctx, report)
	}
	d.ignore(report.Peers)
	d.localHistory(report.Peers)
	d.localAddress(ctx, report.Peers)
	d.site(ctx, report)
	return nil
}

// Unreadable is the finding for a tenant that could not be read.
func Unreadable(ctx context.Context, wwwroot string, err error) Finding {
	advice := "check the database that config.php names, and the rights of its account"
	if over(ctx) != nil {
		advice = adviseAgain
	}
	return newFinding(SeverityError, "own_unreadable", wwwroot, adviceOf(err, advice),
		"the tenant cannot be read", "%v", err)
}

// mustNotCall says why no peer may be called, "" if they may. This site's calls are sealed, and so
// is the call back of a peer that does not know its key yet: because of such a call, a Moodle whose
// key has expired, or whose row does not fit its key pair, would write. In the other cases there is
// no name or key to call with.
func (d *diagnosis) mustNotCall() string {
	t := d.tenant
	switch {
	case !t.MNetOn():
		return t.off().Error()
	case t.checkLocalRow() != nil:
		return "the local host row is missing, or belongs to another site"
	case t.identity() == nil:
		return ErrNoKey.Error()
	case t.Own.Certificate != t.Pair.Certificate:
		return ErrIncoherent.Error()
	case d.expiring(t):
		return ErrExpired.Error()
	}
	return ""
}

func (d *diagnosis) find(s Severity, code, subject, next, message, detail string, args ...any) {
	d.findings = append(d.findings, newFinding(s, code, subject, next, message, detail, args...))
}

// newFinding makes a finding. Names, numbers and times belong in the detail: if many tenants are
// diagnosed, findings with the same message form one group.
func newFinding(s Severity, code, subject, next, message, detail string, args ...any) Finding {
	return Finding{Code: code, Severity: s, Subject: subject, Message: message, Detail: fmt.Sprintf(detail, args...), Next: next}
}

// own notes a finding about the tenant itself.
func (d *diagnosis) own(s Severity, code, next, message, detail string, args ...any) {
	d.find(s, "own_"+code, d.tenant.Wwwroot, next, message, detail, args...)
}

func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityError, SeverityWarning, SeverityInfo}, s)
}

// exitOf is the exit code of a diagnosis: 4 if the local site does not use the stored key, or shows
// another certificate than that of its pair; 1 if anything else about the tenant or its cache is an
// error; 3 if a peer is an error or a warning, or the local site was not asked, so that no link is
// proven; 1 if only warnings about the tenant or its cache remain; 0 if nothing is above info.
func exitOf(findings []Finding) int {
	is := func(match func(Finding) bool) bool { return slices.ContainsFunc(findings, match) }
	peer := func(f Finding) bool {
		return (strings.HasPrefix(f.Code, "peer") || f.Code == "own_not_asked") && f.Severity != SeverityInfo
	}
	switch {
	case is(func(f Finding) bool {
		return slices.Contains([]string{"own_key_not_used", "own_several_caches", "own_row_certificate"}, f.Code)
	}):
		return ExitLocalSite
	case is(func(f Finding) bool { return f.Severity == SeverityError && !peer(f) }):
		return ExitNotRenewed
	case is(peer):
		return ExitPeers
	case is(func(f Finding) bool { return f.Severity != SeverityInfo }):
		return ExitNotRenewed
	}
	return ExitOK
}

// adviceOf is what an error itself says should be done about it.
func adviceOf(err error, otherwise string) string {
	return cmp.Or(HintOf(err), otherwise)
}
