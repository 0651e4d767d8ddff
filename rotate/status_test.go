package rotate

import (
	"context"
	"strings"
	"testing"
)

// The peer is a site of the array. What status says of its row of this site is the same whether the
// link is also tried, or not.
func TestStatusSaysWhatThePeersRowHas(t *testing.T) {
	for name, c := range map[string]struct {
		member func(*Tenant)
		want   string
	}{
		"no certificate": {func(m *Tenant) { m.Peers = []Peer{{ID: 7, Wwwroot: ownURL, Application: "moodle"}} }, "has no certificate of this site"},
		"deleted":        {func(m *Tenant) { m.Deleted = []string{ownURL} }, rowIsDeleted},
		"no row":         {func(*Tenant) {}, noRow().Detail},
	} {
		w := newWorld(t)
		w.addPeer(peerA, fakePeer{dead: true})
		member := newWorld(t).tenant
		pair := testPair(t, peerA, clock.AddDate(0, 0, -5))
		member.Wwwroot, member.Pair, member.Peers = peerA, storedPair(pair), nil
		member.Own = &Peer{ID: 1, Wwwroot: peerA, Certificate: pair.Certificate.PEM, Expires: pair.Certificate.NotAfter.Unix()}
		c.member(&member)
		for _, live := range []bool{false, true} {
			r := w.renewal(Options{})
			r.Counterpart = func(context.Context, Peer) (*Counterpart, error) { return CounterpartOf(&member, ownURL), nil }
			if p := r.Status(t.Context(), live).Peers[0]; p.Has() != c.want {
				t.Errorf("%s, live %v: %q, %+v", name, live, p.Has(), p)
			}
		}
	}
}

// The deadline ends while a slow peer is called: what the databases have was read before.
func TestStatusSaysWhatTheRowsHaveAlthoughTheCallsWereCutShort(t *testing.T) {
	w := newWorld(t)
	w.addPeer(peerA, fakePeer{})
	member := newWorld(t).tenant
	pair := testPair(t, peerA, clock.AddDate(0, 0, -5))
	member.Wwwroot, member.Pair = peerA, storedPair(pair)
	member.Own = &Peer{ID: 1, Wwwroot: peerA, Certificate: pair.Certificate.PEM, Expires: pair.Certificate.NotAfter.Unix()}
	member.Peers = []Peer{{ID: 7, Wwwroot: ownURL, Application: "moodle", Certificate: w.tenant.Pair.Certificate}}
	ctx, cancel := context.WithCancel(t.Context())
	w.on = func(event string) {
		if strings.HasPrefix(event, "prove "+peerA) {
			cancel()
		}
	}
	r := w.renewal(Options{})
	r.Counterpart = func(ctx context.Context, _ Peer) (*Counterpart, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return CounterpartOf(&member, ownURL), nil
	}
	if p := r.Status(ctx, true).Peers[0]; ctx.Err() == nil || p.Holds != "current" {
		t.Errorf("%v, %+v", ctx.Err(), p)
	}
}
