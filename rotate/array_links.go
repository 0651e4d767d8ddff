package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
)

// report judges the link between a tenant and a member by everything that was seen of it, except
// the tenant's own web server, which is weighed last (weighLinks).
func (m *linkResults) report(ctx context.Context, p Peer, tenant string) PeerReport {
	report := PeerReport{Wwwroot: p.Wwwroot, Application: p.Application, Attempts: 1}
	if f := m.broken(ctx, p.Wwwroot, tenant); f != nil {
		report.fail(f)
		if theirs := m.sides[m.member[p.Wwwroot]]; f != theirs.unproven || !theirs.called {
			report.Attempts = 0
		}
		return report
	}
	report.Outcome, report.Reason = Accepted, ReasonDatabase
	return report
}

// broken is the failure of a link, nil if there is none. What a call of the tenant would meet first
// comes first, so that verify says the same of one tenant.
func (m *linkResults) broken(ctx context.Context, member, tenant string) *Failure {
	here := m.resultOf(tenant, member)
	if f := m.sideFailure(ctx, member, tenant); f != nil {
		return f
	}
	if here == KeyNone { // no call can be made
		return NoCertificate()
	}
	if f := m.rowFailure(member, tenant); f != nil {
		return f
	}
	switch here {
	case KeyPresent, KeyStored:
		return nil
	case KeyOther:
		return otherCertificate()
	case KeyNewer:
		return newerHere()
	case RowTwice:
		return twoRowsHere()
	case NotAsked:
		if ctx.Err() != nil {
			return cutShort(ctx)
		}
		return &Failure{Reason: ReasonNotStored, Detail: "the peer's certificate could not be stored in this site's database"}
	}
	return &Failure{Reason: ReasonUnknownToPeer, Detail: "this site has no row of the peer any more",
		Next: "if the link is not needed, delete this site in the peer's Moodle too. Otherwise add the peer again in this site's Moodle (Networking, peers). Then run: renew_mnetkeys push"}
}

// sideFailure is the failure of all links of a member or of a tenant, nil if there is none.
func (m *linkResults) sideFailure(ctx context.Context, member, tenant string) *Failure {
	theirs, ours := m.sides[m.member[member]], m.sides[m.member[tenant]]
	switch {
	case theirs.err != nil:
		return databaseFailure(ctx, "its database: ", theirs.err)
	case ours.err != nil:
		return databaseFailure(ctx, "this site's database: ", ours.err)
	}
	return theirs.unproven
}

// rowFailure is what is wrong in a member's row of a site, nil if nothing is.
func (m *linkResults) rowFailure(member, site string) *Failure {
	switch m.resultOf(member, site) {
	case KeyPresent, KeyStored:
		return nil
	case NoRow:
		return noRow()
	case RowNotFound:
		return notFoundThere()
	case RowNotOurs:
		k := m.keys[m.key[site]]
		return &Failure{Reason: ReasonUnknownToPeer, Detail: "the peer's row with the old wwwroot has no certificate of this site: it may be another site's, and stays as it is",
			Next: fmt.Sprintf("find out whose users refer to that row (user.mnethostid); only if they are this site's, give it the new wwwroot in the peer's database (UPDATE mdl_mnet_host SET wwwroot = '%s' WHERE wwwroot = '%s'), then run: renew_mnetkeys …", sqlText(k.Wwwroot), sqlText(k.Was))}
	case RowDeleted:
		return m.keys[m.key[site]].deletedRow()
	case KeyOther, KeyNone:
		return otherRow()
	case KeyNewer:
		return &Failure{Reason: ReasonCannotOpen, Detail: newerAtPeer, Next: nextRestored}
	case RowNamedAsBefore:
		return &Failure{Reason: ReasonUnknownToPeer, Detail: "the peer's row of this site has the old wwwroot"}
	case RowTwice:
		return twoRows()
	}
	return &Failure{Reason: ReasonDatabase, Detail: "the peer's database did not take the certificate", Pending: true}
}

// newerHere is the failure of a link to a peer of whose certificates this site has a newer one than
// the peer's database.
func newerHere() *Failure {
	return &Failure{Reason: ReasonFault7025, Detail: "this site has a newer certificate of the peer than the peer's database, which does not have its key",
		Next: "the peer's database is older than this site's, as after a restored backup: see \"After the worst\" in docs/recovery.md"}
}

func noRow() *Failure {
	return &Failure{Reason: ReasonUnknownToPeer, Detail: "the peer has no host with this site's wwwroot", noRow: true}
}

func otherRow() *Failure {
	return &Failure{Reason: ReasonCannotOpen, Detail: "the peer does not have the current certificate of this site", Next: nextMemberRow}
}

func twoRows() *Failure {
	return &Failure{Reason: ReasonTwoRows, Detail: "the peer has two rows of this site, which Moodle confuses, also if one of them is deleted",
		Next: "in the peer's database, " + nextOneRow + ". Then run: renew_mnetkeys …"}
}

func twoRowsHere() *Failure {
	return &Failure{Reason: ReasonTwoRows, Detail: "this site has two rows of the peer, which Moodle confuses, also if one of them is deleted",
		Next: "in this site's database, " + nextOneRow + ". Then run: renew_mnetkeys push"}
}

// notFoundHere is the failure of a link to a peer whose calls find no row in the local table.
func notFoundHere() *Failure {
	return &Failure{Reason: ReasonUnknownToPeer, Detail: "the peer's calls are refused: this site's row of the peer ends with a slash, or has other capitals than the peer's name", Next: NextWwwroot + ". Then run: renew_mnetkeys push"}
}

const correctThere = "in the peer's database, correct the wwwroot in the row of this site (mnet_host)" + keepRow

// notFoundThere is the failure of a link to a peer that has a row of this site which its Moodle does
// not find.
func notFoundThere() *Failure {
	return &Failure{Reason: ReasonUnknownToPeer, Detail: "the peer does not find its row of this site: the row's wwwroot ends with a slash, or has other capitals than this site's",
		Next: correctThere + ". Then run: renew_mnetkeys push"}
}

// nextRowDeleted is for a site that may have moved: to add it again could make a second row.
const nextRowDeleted = "see in the peer's database whether it also has a row with an old wwwroot of this site: then do as docs/move.md says. If it has none, and the link is still needed, add this site again in the peer's Moodle (Networking, peers). Then run: renew_mnetkeys push --all --withmaster"

const rowIsDeleted = "the peer's row of this site is deleted"

// deletedRow is the failure of a link to a peer that has a deleted row of the key's site and no
// active one. To add a site again makes its row active, but for one that has moved it can make a
// second row, to which no user refers.
func (k HostKey) deletedRow() *Failure {
	f := &Failure{Reason: ReasonUnknownToPeer, Detail: rowIsDeleted}
	switch {
	case k.Was != "":
		f.Next = "if the link is still needed, see in the peer's database to which row users of this site refer (docs/move.md), set deleted = 0 in this row alone, then run: renew_mnetkeys …"
	case k.mayHaveMoved():
		f.Next = nextRowDeleted
	default:
		f.Next = "if the link is not needed, delete the peer in this site's Moodle too. Otherwise add this site again in the peer's Moodle (Networking, peers). Then run: renew_mnetkeys push --all --withmaster"
	}
	return f
}

// newerAtPeer is the detail for a peer that has a certificate of this site which is newer than the
// stored one, and whose key this site does not have.
const newerAtPeer = "the peer has a newer certificate of this site, whose key this site does not have"

// nextRestored is the next step for it.
const nextRestored = "this site's database is older than the peer's, as after a restored backup: see \"After the worst\" in docs/recovery.md"

// resultOf is what became of a site's key at a member.
func (m *linkResults) resultOf(member, site string) StoreResult {
	results, key := m.results[m.member[member]], m.key[site]
	if _, known := m.key[site]; !known || key >= len(results) {
		return NotAsked
	}
	return results[key]
}

// failUnfound fails the links to members by whose name the tenant's Moodle does not find its row, which is
// spelt otherwise: these were proven as links to outside peers, by calls of this side alone.
func (m *linkResults) failUnfound(report *TenantReport) {
	for i := range report.Peers {
		p := &report.Peers[i]
		if m.inside(p.Wwwroot) {
			continue
		}
		for member := range m.member {
			if m.resultOf(report.Wwwroot, member) == RowNotFound && envelope.SameWwwroot(member, p.Wwwroot) {
				p.fail(notFoundHere())
			}
		}
	}
}

// databaseFailure is the failure of links that could not be examined.
func databaseFailure(ctx context.Context, whose string, err error) *Failure {
	// A commit that was cut short says neither yes nor no.
	stopped := over(ctx) != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Cause(ctx)) || errors.Is(err, ErrUncertain))
	if stopped || errors.Is(err, context.Canceled) {
		f := cutShort(ctx)
		if late := Ended(ctx, err); errors.As(late, new(*lateError)) {
			f.Detail = "not finished: " + whose + late.Error()
		}
		return f
	}
	return &Failure{Reason: ReasonDatabase, Detail: whose + err.Error(), Err: err, Pending: true, Next: nextOfDatabase(err)}
}

// nextOfDatabase is the next step after an error of a database, whose hint may know the cure.
func nextOfDatabase(err error) string {
	var other *OtherSiteError
	hint := HintOf(err)
	_, commands := SplitHint(hint)
	switch {
	case commands != "" && errors.As(err, &other): // they are for the site that it names
		return hint + " --host=" + shellWord(other.Wwwroot)
	case hint == "" || commands != "": // which are for the other site
		return ReasonDatabase.Row().Next
	}
	if strings.HasSuffix(hint, "?") {
		return hint + thenPush
	}
	return hint + "." + thenPush
}

// cutShort is the failure of a link on which the work was ended by a signal or by the run's
// deadline.
func cutShort(ctx context.Context) *Failure {
	why := "the run was interrupted"
	if cause := context.Cause(ctx); cause != nil {
		why = cause.Error()
	}
	return &Failure{Reason: ReasonInterrupted, Detail: "not finished: " + why, Pending: true}
}
