package rotate

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Site is what the database says of a site in addition to its key. An empty field means not known.
type Site struct {
	Release      string  // config.release, like "4.5.6 (Build: 20250811)"
	Version      float64 // config.version, like 2024100706.00
	SingleSignOn SingleSignOn
	Use          map[int64]LinkUse // by Peer.ID; a peer without an entry is not used
	Unknown      []string          // what could not be read, and why, one line each
	NoLocks      string            // the database server's answer, if it gives no locks to anybody
}

// SingleSignOn is the state of Moodle's plugin auth_mnet, which implements MNet's single sign-on.
type SingleSignOn string

// The states of single sign-on.
const (
	SignOnUnknown SingleSignOn = ""
	SignOnOn      SingleSignOn = "on"
	SignOnOff     SingleSignOn = "off"    // installed, but not among the authentication methods
	SignOnAbsent  SingleSignOn = "absent" // not installed
)

// withoutSignOn is the version of Moodle 5.0, which comes without auth_mnet, and whose upgrade
// uninstalls it (lib/db/upgrade.php, 2025030600.05).
const withoutSignOn = 2025030600.05

// LinkUse is how the link to a peer is used. A nil field means not known.
type LinkUse struct {
	// Users are the users here who come from the peer (user.mnethostid), without deleted ones.
	Users *int64 `json:"users,omitempty"`
	// Sessions are the rows of mnet_session that have not expired, of users of both sites.
	Sessions *int64 `json:"sessions,omitempty"`
	// LastUsed is the newest access or login of these users, or entry of the peer in mnet_log.
	LastUsed *time.Time `json:"last_used,omitempty"`
	// LastCall is the last signed call of the peer to this site, whatever it was for.
	LastCall *time.Time `json:"last_call,omitempty"`
}

// InUse reports whether users move between the sites by the link.
func (u *LinkUse) InUse() bool {
	return u != nil && (u.Users != nil && *u.Users > 0 || u.Sessions != nil && *u.Sessions > 0)
}

// SiteReport is what the diagnosis reports about a tenant's site. An empty field means not known.
type SiteReport struct {
	Moodle       string       `json:"moodle"`           // release
	PHPWeb       string       `json:"php_web"`          // as named by the web server
	PHPCommand   string       `json:"php_command_line"` // of this machine, if PHPWeb is ""
	SingleSignOn SingleSignOn `json:"single_sign_on"`
	RC4          string       `json:"rc4"` // whether the web server's PHP supports it: yes, no
}

// site reports which Moodle and PHP this is and who uses its links: administrators need to know
// what they lose by an upgrade to Moodle 5.
func (d *diagnosis) site(ctx context.Context, report *TenantReport) {
	describer, ok := d.Store.(SiteDescriber)
	if !ok {
		return
	}
	site := describer.DescribeSite(ctx, d.tenant.Peers, d.Now())
	report.Site = &SiteReport{Moodle: site.Release, SingleSignOn: site.SingleSignOn, RC4: d.rc4(report.SelfCheck)}
	d.php(ctx, report)
	var used []string
	for i, p := range d.tenant.Peers {
		use := site.Use[p.ID]
		report.Peers[i].Use = &use
		if use.InUse() {
			used = append(used, p.Wwwroot)
		}
	}
	if len(site.Unknown) > 0 {
		d.own(SeverityInfo, "site_unknown", "nothing to do for the keys. To learn it, give the database account of Moodle the right to read the table",
			"some facts about the site are not known", "%s", strings.Join(site.Unknown, "; "))
	}
	if site.NoLocks != "" {
		d.own(SeverityInfo, "no_locks", "never let two runs for this tenant overlap: in a timer or cron job, for example",
			"the database server gives no locks, so two runs at once do not wait for each other. The key is safe: a run writes only over the key pair that it has read, "+
				"so one of the two stops and changes nothing", "%s", site.NoLocks)
	}
	switch {
	case site.SingleSignOn == SignOnOn && site.Version < withoutSignOn:
		d.several(SeverityInfo, "single_sign_on", used, "before an upgrade to Moodle 5.0 or later, give the users of these links another way to log in. "+
			"Moodle 4.5 is the last release with single sign-on by MNet; keys and calls go on after it",
			"users come and go by these links, and an upgrade to Moodle 5 ends that: it uninstalls single sign-on (auth_mnet)")
	case site.SingleSignOn == SignOnAbsent:
		d.several(SeverityInfo, "single_sign_on_gone", used, "give these users another way to log in",
			"users of these links are still in the database, but cannot log in: single sign-on (auth_mnet) is not installed")
	}
}

// rc4 says whether the web servers' PHP supports RC4, which no OpenSSL 3 does without its legacy
// provider; "" if none has shown it.
func (d *diagnosis) rc4(verdict SelfCheck) string {
	proven := func(n NodeReport) bool { return n.SelfCheck == SelfProven }
	switch {
	case verdict == SelfNoRC4:
		return "no"
	case verdict == SelfProven || slices.ContainsFunc(d.nodes, proven):
		return "yes"
	}
	return ""
}

// php finds out which PHP the site runs on. Only the web server's PHP counts; if it is not named,
// the one on the command line is often the same.
func (d *diagnosis) php(ctx context.Context, report *TenantReport) {
	answered := slices.IndexFunc(d.nodes, func(n NodeReport) bool { return n.SelfCheck != SelfSkipped && n.SelfCheck != SelfUnreachable })
	if teller, ok := d.Network.(PHPTeller); ok && answered >= 0 {
		site := d.tenant.localSite("")
		if node := d.nodes[answered].Address; slices.Contains(d.Nodes, node) {
			site.Node, site.SSLVerification = node, 0
		}
		report.Site.PHPWeb = teller.PHP(ctx, site)
	}
	if report.Site.PHPWeb == "" && d.CommandLinePHP != nil {
		report.Site.PHPCommand = d.CommandLinePHP(ctx)
	}
}
