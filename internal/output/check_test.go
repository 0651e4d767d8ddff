package output

import (
	"errors"
	"strings"
	"testing"
	"time"

	"renew_mnetkeys/rotate"
)

// Whatever a report says that is not proven, a check does not call it OK; a local
// site that uses another key is critical.
func TestACheckIsNotOKWhereSomethingIsNotProven(t *testing.T) {
	peer := func(o rotate.PeerOutcome, reason string) []rotate.PeerReport {
		return []rotate.PeerReport{{Wwwroot: "https://p.example", Outcome: o, Reason: rotate.Reason(reason)}}
	}
	for name, c := range map[string]struct {
		r    rotate.TenantReport
		want checkState
		says string
	}{
		"all is proven":                       {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer(rotate.Accepted, "")}, okay, ""},
		"a peer that is ignored":              {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer(rotate.Ignored, "connect")}, okay, ""},
		"this side of a link":                 {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3, Peers: peer(rotate.Pending, "own_site")}, warning, "own_site"},
		"what was not stored":                 {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3, Peers: peer(rotate.Refused, "not_stored")}, warning, "not_stored"},
		"an outcome of the future":            {rotate.TenantReport{SelfCheck: rotate.SelfProven, Peers: peer("half", "why")}, warning, "peer https://p.example half: why"},
		"the local site uses another key":     {rotate.TenantReport{SelfCheck: rotate.SelfFailed, Exit: 4}, critical, "uses a different key from the one in the database"},
		"so it says without an exit code":     {rotate.TenantReport{SelfCheck: rotate.SelfFailed}, critical, "uses a different key from the one in the database"},
		"it has several caches":               {rotate.TenantReport{SelfCheck: rotate.SelfFailed, Exit: 4, Err: errors.New("several_caches"), Error: "several_caches"}, critical, "several_caches"},
		"exit code 4 alone":                   {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 4}, critical, "local site"},
		"it cannot be asked":                  {rotate.TenantReport{SelfCheck: rotate.SelfUnreachable, Exit: 3}, warning, "local site unreachable"},
		"that is an error":                    {rotate.TenantReport{SelfCheck: rotate.SelfUnreachable, Exit: 1, Err: rotate.ErrOwnUnreachable, Error: "x"}, warning, "x"},
		"it is not asked":                     {rotate.TenantReport{SelfCheck: rotate.SelfSkipped}, warning, "local site skipped"},
		"a word of the future for it":         {rotate.TenantReport{SelfCheck: "puzzled"}, warning, "local site puzzled"},
		"an exit code that nothing says why":  {rotate.TenantReport{SelfCheck: rotate.SelfProven, Exit: 3}, warning, "not everything is proven"},
		"the database is down":                {rotate.TenantReport{SelfCheck: rotate.SelfSkipped, Exit: 1, Err: errors.New("down"), Error: "down"}, Unknown, "down"},
		"nobody knows whose turn it was":      {rotate.TenantReport{Exit: 1, Err: errors.New("no register"), Error: "no register"}, Unknown, "UNKNOWN: no register"},
		"the database of a tenant that fails": {rotate.TenantReport{Wwwroot: "https://t.example", Exit: 1, Err: errors.New("x"), Error: "https://t.example: x"}, Unknown, "UNKNOWN: https://t.example: x"},
	} {
		t.Run(name, func(t *testing.T) {
			sum := &checkSummary{now: time.Now()}
			if c.r.Wwwroot == "" && !strings.HasPrefix(name, "nobody") {
				c.r.Wwwroot = "https://t.example"
			}
			sum.add(c.r)
			if sum.state() != c.want || !strings.HasPrefix(sum.String(), c.want.String()+": ") || !strings.Contains(sum.String(), c.says) {
				t.Errorf("%s", sum)
			}
		})
	}
}

// Tenants are looked at at once: the order in which they are done says nothing.
func TestTheFirstLineOfACheckIsTheSameWhateverComesFirst(t *testing.T) {
	add := map[string]func(*checkSummary){
		"unknown": func(c *checkSummary) {
			c.add(rotate.TenantReport{Wwwroot: "https://b.example", Err: rotate.ErrMNetOff, Error: "off | x\ny"})
		},
		"warning": func(c *checkSummary) { c.problem(warning, "https://c.example: late") },
		"critical": func(c *checkSummary) {
			c.add(rotate.TenantReport{Wwwroot: "https://a.example", Err: rotate.ErrExpired, Error: "over"})
		},
		"other": func(c *checkSummary) { c.problem(critical, "https://d.example: later") },
	}
	const want = "CRITICAL: 4 problems; https://a.example: over | peers_pending=0;0;;0 peers_refused=0;0;;0\n" +
		"CRITICAL: https://a.example: over\nCRITICAL: https://d.example: later\nUNKNOWN: https://b.example: off ¦ x y\nWARNING: https://c.example: late\n"
	for _, order := range [][]string{{"unknown", "warning", "critical", "other"}, {"other", "critical", "warning", "unknown"}, {"warning", "other", "unknown", "critical"}} {
		c := &checkSummary{}
		for _, name := range order {
			add[name](c)
		}
		if got := c.String(); got != want || c.state() != critical {
			t.Errorf("%q: %v\n%s", order, c.state(), got)
		}
	}
}
