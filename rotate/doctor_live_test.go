package rotate_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/peers/peertest"
	"renew_mnetkeys/rotate"
)

// readOnly is a tenant's database and cache that must not be written to.
type readOnly struct {
	*testing.T
	tenant rotate.Tenant
}

func (r *readOnly) Read(context.Context) (*rotate.Tenant, error) {
	t := r.tenant
	return &t, nil
}

func (r *readOnly) CheckRights(context.Context) error { return nil }

func (r *readOnly) StoreKey(context.Context, *rotate.Tenant, rotate.Keys) error {
	r.Error("a key was stored")
	return nil
}

func (r *readOnly) StoreHistory(context.Context, *rotate.Tenant, []rotate.Retired, bool) error {
	r.Error("the history was stored")
	return nil
}

func (r *readOnly) StorePeer(_ context.Context, p rotate.Peer, _ *envelope.Certificate) (bool, error) {
	r.Errorf("a certificate of %s was stored", p.Wwwroot)
	return false, nil
}

func (r *readOnly) Check(context.Context, string) error { return nil }

func (r *readOnly) Drop(context.Context, string, rotate.Scope) error {
	r.Error("the cache was dropped")
	return nil
}

// Over HTTP, with peers of every kind: each is recognised, and after the diagnosis it has the same
// certificate of this site as before.
func TestTheDiagnosisTellsPeersForWhatTheyAreAndChangesNone(t *testing.T) {
	own := peertest.Run(t, peertest.Options{})
	former := own.Certificate()
	if err := own.Renew(true); err != nil {
		t.Fatal(err)
	}
	current, history, err := own.Pairs()
	if err != nil {
		t.Fatal(err)
	}
	db := &readOnly{T: t, tenant: rotate.Tenant{Wwwroot: own.Wwwroot(), DispatcherMode: "strict", Generations: 3,
		Own:     &rotate.Peer{ID: 1, Wwwroot: own.Wwwroot(), Certificate: current.Certificate.PEM, Expires: current.Certificate.NotAfter.Unix()},
		Pair:    rotate.Stored{Certificate: current.Certificate.PEM, PrivateKey: current.PEM},
		History: []rotate.Retired{{Stored: rotate.Stored{Certificate: history[0].Certificate.PEM, PrivateKey: history[0].PEM}}}}}

	registersAll := peertest.Options{Kind: peertest.Stock, RegisterAll: true}
	kinds := []struct {
		name  string
		site  peertest.Options
		fault []peertest.Fault
		holds string // of this site; "" does not know this site
		code  string // of the finding that must name it
	}{
		{"patched", peertest.Options{}, nil, own.Certificate(), "peers_patched"},
		{"stock", peertest.Options{Kind: peertest.Stock}, nil, own.Certificate(), "peers_stock"},
		{"stock 4.1", peertest.Options{Kind: peertest.Stock, Modern: true}, nil, own.Certificate(), "peers_stock"},
		{"Mahara", peertest.Options{Kind: peertest.Mahara}, nil, own.Certificate(), "peers_mode_unknown"},
		{"registers all hosts, and knows us", registersAll, nil, own.Certificate(), "peers_stock"},
		{"registers all hosts, and does not know us", registersAll, nil, "", "peer_unknown_to_peer"},
		{"patched, and does not know us", peertest.Options{}, nil, "", "peer_unknown_to_peer"},
		{"has missed a renewal and cannot call back", peertest.Options{}, []peertest.Fault{peertest.Deaf}, former, "peer_fault_710"},
		{"switched off", peertest.Options{}, []peertest.Fault{peertest.Off}, own.Certificate(), "peer_mnet_off"},
		{"has no RC4", peertest.Options{}, []peertest.Fault{peertest.NoRC4}, own.Certificate(), "peer_no_rc4"},
	}
	sites := make([]*peertest.Site, len(kinds))
	for i, k := range kinds {
		sites[i] = peertest.Run(t, k.site)
		sites[i].Misbehave(k.fault...)
		if k.holds != "" {
			if err := sites[i].Know(own.Wwwroot(), k.holds); err != nil {
				t.Fatal(err)
			}
		}
		db.tenant.Peers = append(db.tenant.Peers, rotate.Peer{ID: int64(2 + i), Wwwroot: sites[i].Wwwroot(), Application: sites[i].Application(),
			ServerURL: sites[i].ServerURL(), Certificate: sites[i].Certificate()})
	}
	client := peers.New(peers.Options{Timeout: 5 * time.Second, Retries: -1})
	defer client.Close()
	r := &rotate.Renewal{Options: rotate.Options{SelfCheck: rotate.SelfCheckAuto}, Store: db, Cache: db, Network: client,
		Random: rand.Reader, Now: time.Now, Log: zerolog.Nop()}

	report := r.Diagnose(t.Context())
	findings := report.Findings

	if report.SelfCheck != rotate.SelfProven || report.Exit != rotate.ExitPeers {
		t.Errorf("local site %s, exit %d", report.SelfCheck, report.Exit)
	}
	for i, k := range kinds {
		wwwroot := sites[i].Wwwroot()
		if !slices.ContainsFunc(findings, func(f rotate.Finding) bool {
			return f.Code == k.code && (f.Subject == wwwroot || slices.Contains(f.Peers, wwwroot))
		}) {
			t.Errorf("%s: not found as %s: %+v", k.name, k.code, report.Peers[i])
		}
		if got := sites[i].Held(own.Wwwroot()); got != k.holds || sites[i].Held(own.Wwwroot()+"/") != "" {
			t.Errorf("%s: its certificate of this site has changed", k.name)
		}
		for _, request := range sites[i].Requests() {
			if request.Force && !strings.HasSuffix(request.From, "/") {
				t.Errorf("%s: it was sent a forced key", k.name)
			}
		}
	}
}

func (*readOnly) Cached(context.Context, string, bool) ([]rotate.Retired, error) { return nil, nil }
