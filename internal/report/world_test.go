package report_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/internal/report"
	"renew_mnetkeys/rotate"
)

var started = time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)

// The commands, as package run describes them.
var (
	renew    = report.Command{Name: "renew", MakesKey: true, Good: rotate.Renewed, Exits: rotate.ExitsOfRenewal, Done: "renewed"}
	push     = report.Command{Name: "push", Good: rotate.Kept, Exits: rotate.ExitsOfChange, Done: "pushed"}
	rollback = report.Command{Name: "rollback", Good: rotate.Renewed, Exits: rotate.ExitsOfChange, Done: "rolled back", Did: "rolled back"}
	verify   = report.Command{Name: "verify", ReadsOnly: true, Good: rotate.Kept, Exits: rotate.ExitsOfLook, Did: "verified"}
	status   = report.Command{Name: "status", ReadsOnly: true, Good: rotate.Kept, Exits: rotate.ExitsOfStatus, Did: "looked at"}
	check    = report.Command{Name: "check", ReadsOnly: true, Checks: true, Good: rotate.Kept, Exits: rotate.ExitsOfCheck, Did: "looked at"}
	doctor   = report.Command{Name: "doctor", ReadsOnly: true, Diagnoses: true, Good: rotate.Kept, Exits: rotate.ExitsOfLook, Did: "examined"}
)

// advised is a page whose reports have next steps for their failures.
type advised struct{ *report.Page }

func newPage() advised { return advised{report.New()} }

// Add takes a report.
func (p advised) Add(r rotate.TenantReport) {
	if r.Err != nil {
		r.Hint = "hint for " + r.Err.Error()
	}
	r.Peers = slices.Clone(r.Peers)
	for i := range r.Peers {
		if o := r.Peers[i].Outcome; o == rotate.Pending || o == rotate.Refused {
			r.Peers[i].Next = "do something about " + string(r.Peers[i].Reason)
		}
	}
	p.Page.Add(r)
}

// written is the page as text.
func written(t *testing.T, p advised, run report.Run) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func runWith(code int) report.Run {
	return report.Run{Command: renew, Started: started, Took: 41300 * time.Millisecond, ExitCode: code, Version: "v1.4.0"}
}

func lives(day, days int) *rotate.KeyReport {
	from := started.AddDate(0, 0, day)
	return &rotate.KeyReport{SHA256: strings.Repeat("a1c03f1d", 8), NotBefore: &from, NotAfter: from.AddDate(0, 0, days)}
}

func peer(wwwroot string, o rotate.PeerOutcome, reason, detail string, attempts int, ms int64) rotate.PeerReport {
	return rotate.PeerReport{Wwwroot: wwwroot, Application: "moodle", Outcome: o, Reason: rotate.Reason(reason), Detail: detail, Attempts: attempts, TookMS: ms}
}

// one is a tenant with a peer of each outcome.
func one() rotate.TenantReport {
	previous := lives(-27, 28)
	previous.NotBefore = nil
	return rotate.TenantReport{Wwwroot: "https://tenant.example.org", Outcome: rotate.Renewed, SelfCheck: rotate.SelfProven, Certificate: lives(0, 28), Previous: previous,
		History: 2, Warnings: []string{"the history holds its 2 keys"}, Peers: []rotate.PeerReport{
			peer("https://moodle.example.com", rotate.Accepted, "", "", 1, 33),
			peer("https://archive.example.org", rotate.Healed, "", "fetched the key itself", 2, 118),
			peer("https://down.example.net", rotate.Pending, "connect", "dial tcp 192.0.2.7:443: connect: connection refused", 3, 2689),
			peer("https://off.example.org/moodle", rotate.Refused, "mnet_off", "its MNet is switched off", 1, 14),
			peer("https://old.example.org", rotate.Skipped, "", "the row is deleted", 0, 0),
		}}
}

func site(i int) string { return fmt.Sprintf("https://t%03d.example.org", i) }

// faculty is the wwwroot of a tenant in a university: long, and usually of one domain.
func faculty(i int) string {
	name := []string{"institut-universitaire-de-technologie-de-grenoble", "institut-universitaire-de-technologie-de-grenoble-2", "campus",
		"departement-de-mathematiques-et-informatique", "formation-continue-et-apprentissage"}[i%5]
	switch {
	case i%29 == 3:
		return fmt.Sprintf("https://%s-%03d.moodle.universite-alpes.example/moodle", name, i)
	case i%31 == 4:
		return fmt.Sprintf("https://lycee-professionnel-jean-monnet-%03d.autre-academie.example:8443/plateforme/moodle", i)
	}
	return fmt.Sprintf("https://%s-%03d.moodle.universite-alpes.example", name, i)
}

// university is an array with long names.
func university(n int) advised {
	long := map[string]string{}
	for i := range max(n, 8) {
		long[site(i)] = faculty(i)
	}
	p := newPage()
	for i := range n {
		r := tenantOf(i, max(n, 8))
		r.Wwwroot = faculty(i)
		for j := range r.Peers {
			r.Peers[j].Wwwroot = cmp.Or(long[r.Peers[j].Wwwroot], r.Peers[j].Wwwroot)
		}
		p.Add(r)
	}
	return p
}

// array is n tenants that are each other's peers. Peer 3 is down for all, peer 7 has MNet off,
// tenant 5 is unknown to all others, tenant 2 has failed, and a site outside has a failure of its
// own.
func array(n int) advised {
	p := newPage()
	for i := range n {
		p.Add(tenantOf(i, n))
	}
	return p
}

func tenantOf(i, n int) rotate.TenantReport {
	r := rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Renewed, SelfCheck: rotate.SelfProven, Certificate: lives(0, 28), Previous: lives(-27, 28), Peers: []rotate.PeerReport{}}
	switch {
	case i == 2:
		r.Err = errors.New("read the tenant: access denied for user 'moodle'")
		r.Error = r.Err.Error()
		r.Outcome, r.SelfCheck, r.Certificate = rotate.Failed, rotate.SelfSkipped, lives(-25, 28)
		return r
	case i == 4:
		r.Outcome, r.Certificate = rotate.Kept, lives(-12, 28)
	case i%50 == 11:
		r.Err = errors.New("it still answers as before")
		r.Error = r.Err.Error()
		r.Outcome, r.SelfCheck, r.Certificate = rotate.Undone, rotate.SelfFailed, lives(-30, 28)
		return r
	case i%100 == 9:
		r.SelfCheck = rotate.SelfNoRC4
	}
	for j := range n {
		link := peer(site(j), rotate.Accepted, "database", "", 1, 3)
		switch {
		case i == j:
			continue
		case j == 3:
			link.Outcome, link.Reason, link.Detail = rotate.Pending, "connect", "its database: dial tcp 192.0.2.3:3306: connect: connection refused"
		case j == 7:
			link.Outcome, link.Reason, link.Detail = rotate.Refused, "mnet_off", "its MNet is switched off"
		case i == 5:
			link.Outcome, link.Reason, link.Detail = rotate.Refused, "unknown_to_peer", "this site is not one of its hosts"
		case (i*31+j*17)%97 == 0:
			link.Outcome, link.Reason = rotate.Healed, ""
		}
		r.Peers = append(r.Peers, link)
	}
	if i%40 == 0 {
		r.Peers = append(r.Peers, peer("https://mahara.example.com/view", rotate.Skipped, "", "its row is deleted", 0, 0))
	}
	return r
}
