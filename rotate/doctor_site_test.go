package rotate

import (
	"context"
	"slices"
	"testing"
	"time"
)

// described is a clinic whose database and web server give more information about the site.
type described struct {
	*clinic
	site Site
	php  string
}

func (d *described) DescribeSite(context.Context, []Peer, time.Time) Site { return d.site }
func (d *described) PHP(context.Context, Peer) string                     { return d.php }

func newDescribed(t *testing.T) *described {
	users, sessions, none, used := int64(12), int64(1), int64(0), clock.Add(-time.Hour)
	d := &described{clinic: newClinic(t), php: "8.2.7"}
	d.site = Site{Release: "4.5.6 (Build: 20250811)", Version: 2024100706, SingleSignOn: SignOnOn, Use: map[int64]LinkUse{
		d.tenant.Peers[0].ID: {Users: &users, Sessions: &sessions, LastUsed: &used},
		d.tenant.Peers[1].ID: {Users: &none, Sessions: &none},
	}}
	return d
}

func (d *described) diagnose(t *testing.T) TenantReport {
	t.Helper()
	r := d.renewal(Options{})
	r.Store, r.Network, r.Cache = d, d, d
	r.CommandLinePHP = func(context.Context) string { return "8.4.1" }
	return r.Diagnose(t.Context())
}

func TestWhatIsToldOfASite(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(*described)
		want    SiteReport
	}{
		"in order": {func(*described) {}, SiteReport{"4.5.6 (Build: 20250811)", "8.2.7", "", SignOnOn, "yes"}},
		"its web server does not name its PHP": {func(d *described) { d.php = "" },
			SiteReport{"4.5.6 (Build: 20250811)", "", "8.4.1", SignOnOn, "yes"}},
		"its web server has no RC4": {func(d *described) { d.rc4less = true }, SiteReport{"4.5.6 (Build: 20250811)", "8.2.7", "", SignOnOn, "no"}},
		"its web server does not answer: the PHP that it would name is not asked for": {func(d *described) { d.unreachable = true },
			SiteReport{"4.5.6 (Build: 20250811)", "", "8.4.1", SignOnOn, ""}},
		"its tables cannot be read": {func(d *described) { d.site = Site{Unknown: []string{"release of Moodle: no"}} }, SiteReport{"", "8.2.7", "", "", "yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDescribed(t)
			c.arrange(d)
			if got := d.diagnose(t).Site; got == nil || *got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// An administrator learns which links an upgrade to Moodle 5 ends, and that this is no fault.
func TestTheLinksThatMoodle5Ends(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(*described)
		code    string // about the first peer; "" for none
		exit    int
	}{
		"single sign-on is used":                {func(*described) {}, "peers_single_sign_on", ExitOK},
		"it is on, and not used":                {func(d *described) { d.site.Use = nil }, "", ExitOK},
		"it is off":                             {func(d *described) { d.site.SingleSignOn = SignOnOff }, "", ExitOK},
		"it is gone, and the users are left":    {func(d *described) { d.site.SingleSignOn, d.site.Version = SignOnAbsent, 2025041400 }, "peers_single_sign_on_gone", ExitOK},
		"Moodle 5 has it as a plugin of others": {func(d *described) { d.site.Version = 2025041400 }, "", ExitOK},
		"nothing is known":                      {func(d *described) { d.site = Site{Unknown: []string{"no right"}} }, "", ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDescribed(t)
			c.arrange(d)
			report := d.diagnose(t)
			at := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == "peers_single_sign_on" || f.Code == "peers_single_sign_on_gone" })
			if (at >= 0) != (c.code != "") || at >= 0 && (report.Findings[at].Code != c.code || !slices.Equal(report.Findings[at].Peers, []string{peerA})) {
				t.Errorf("found %+v", report.Findings)
			}
			if report.Exit != c.exit {
				t.Errorf("exit code %d", report.Exit)
			}
		})
	}
}

func TestWhatIsNotKnownOfASiteIsANote(t *testing.T) {
	d := newDescribed(t)
	d.site.Unknown = []string{"sessions of the peers: no such table", "calls of the peers: denied"}
	report := d.diagnose(t)
	at := slices.IndexFunc(report.Findings, func(f Finding) bool { return f.Code == "own_site_unknown" })
	if at < 0 || report.Findings[at].Severity != SeverityInfo || report.Exit != ExitOK {
		t.Errorf("exit code %d: %+v", report.Exit, report.Findings)
	}
}

// The use of peers that are not called is reported, too: MNet may have been off for a long time.
func TestTheUseOfLinksIsToldWithoutCalls(t *testing.T) {
	d := newDescribed(t)
	d.tenant.DispatcherMode = "off"
	report := d.diagnose(t)
	if use := report.Peers[0].Use; use == nil || !use.InUse() || report.Peers[1].Use.InUse() || len(d.happened("prove")) > 0 {
		t.Errorf("%+v", report.Peers)
	}
}

// One of the web servers is down: the others have shown what they can.
func TestWhatAWebServerOfSeveralHasShownIsTold(t *testing.T) {
	d := newDescribed(t)
	d.noReach = map[string]bool{"": true}
	d.answer = func(node string, _ int) *Failure {
		if node == "web1" {
			return &Failure{Reason: ReasonConnect, Pending: true}
		}
		return nil
	}
	r := d.renewal(Options{Nodes: []string{"web1", "web2"}})
	r.Store, r.Network, r.Cache = d, d, d
	if site := r.Diagnose(t.Context()).Site; site.RC4 != "yes" || site.PHPWeb != "8.2.7" {
		t.Errorf("%+v", site)
	}
}
