package rotate

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/testkey"
)

// world is a tenant with its database, its web server with a cache, and its peers, all in memory.
// It records the order of events.
type world struct {
	t  *testing.T
	mu sync.Mutex

	tenant  Tenant
	version int

	cached      *Stored // the pair in the web server's cache; nil reads the database
	refill      func()  // called after a drop, like a web request under way
	cachedErr   error
	alsoCached  []Retired // retired pairs in the cache
	hidden      bool      // the cache cannot be read from here
	sticky      bool      // dropping does nothing: the web server keeps what it has
	clockAhead  bool      // the web server's answers have timestamps in the future
	unreachable bool      // no web server answers at the local wwwroot
	nodes       []string
	// pages are what publickey.php shows, by node, if it is not what the web server uses.
	pages     map[string]string
	noPage    map[string]*Failure                   // instead of publickey.php, by node
	noReach   map[string]bool                       // where nothing listens, by node
	asked     int                                   // sealed calls to the local wwwroot
	answer    func(node string, asked int) *Failure // nil: as the other fields say
	rc4less   bool                                  // the web server's OpenSSL has no RC4
	dropErr   error
	checkErr  error
	lockErr   error
	storeErr  error
	rightsErr error
	readErr   error
	startErr  error
	stopErr   error
	peerErr   error // of StorePeer

	peers  map[string]*fakePeer
	events []string
	on     func(event string) // called with every event, before it happens
}

type fakePeer struct {
	stock    bool // stores nothing at a keyswap, heals at the call
	dead     bool
	forgot   bool   // it has no old key: it heals only if this site's row has its new certificate
	knows    string // its certificate of this site
	own      *envelope.KeyPair
	answers  *envelope.KeyPair     // what a keyswap answers, own unless set
	refuses  Reason                // reason of a refused proof
	verified *envelope.Certificate // under which that refusal verified
	foreign  bool                  // its keyswap answers with another site's certificate
}

const ownURL = "https://own.example"

var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{t: t, peers: map[string]*fakePeer{}}
	old := testPair(t, ownURL, clock.AddDate(0, 0, -20))
	w.tenant = Tenant{
		Wwwroot: ownURL, Site: "Own", NoReplyAddress: "noreply@own.example", DispatcherMode: "strict", LifetimeDays: 28, Generations: 3,
		Own:  &Peer{ID: 1, Wwwroot: ownURL, Certificate: old.Certificate.PEM, Expires: old.Certificate.NotAfter.Unix()},
		Pair: storedPair(old),
	}
	pair := w.tenant.Pair
	w.cached = &pair
	return w
}

func (w *world) addPeer(wwwroot string, p fakePeer) *fakePeer {
	p.own = testPair(w.t, wwwroot, clock.AddDate(0, 0, -5))
	p.knows = w.tenant.Pair.Certificate
	w.peers[wwwroot] = &p
	w.tenant.Peers = append(w.tenant.Peers, Peer{ID: int64(10 + len(w.peers)), Wwwroot: wwwroot, Application: "moodle",
		ServerURL: "/mnet/xmlrpc/server.php", Certificate: p.own.Certificate.PEM, Expires: p.own.Certificate.NotAfter.Unix()})
	return &p
}

func (w *world) event(format string, args ...any) {
	e := fmt.Sprintf(format, args...)
	if w.on != nil {
		w.on(e)
	}
	w.events = append(w.events, e)
}

// happened gives the events that start with one of the words.
func (w *world) happened(words ...string) []string {
	var found []string
	for _, e := range w.events {
		if slices.Contains(words, strings.Fields(e)[0]) {
			found = append(found, e)
		}
	}
	return found
}

func (w *world) renewal(o Options) *Renewal {
	if o.SelfCheck == "" {
		o.SelfCheck = SelfCheckAuto
	}
	if o.Answers == 0 {
		o.Answers = 1
	}
	return &Renewal{Options: o, Store: w, Locker: w, Starter: w, Cache: w, Network: w, Introducer: w,
		GenerateKey: newKey,
		Random:      rand.Reader,
		Now:         func() time.Time { return clock },
		Sleep:       func(ctx context.Context, d time.Duration) error { return ctx.Err() },
		Log:         zerolog.Nop(),
	}
}

// web is the pair that the web server uses.
func (w *world) web() Stored {
	if w.cached == nil {
		pair := w.tenant.Pair
		w.cached = &pair
	}
	return *w.cached
}

// Store.

func (w *world) Read(context.Context) (*Tenant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("read")
	if w.readErr != nil {
		return nil, w.readErr
	}
	t := w.tenant
	t.History, t.Peers = slices.Clone(t.History), slices.Clone(t.Peers)
	t.Read.Pair = strconv.Itoa(w.version)
	return &t, nil
}

func (w *world) CheckRights(context.Context) error { return w.rightsErr }

func (w *world) StoreKey(_ context.Context, read *Tenant, next Keys) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("store")
	if w.storeErr != nil {
		return w.storeErr
	}
	if read.Read.Pair != strconv.Itoa(w.version) {
		return ErrConflict
	}
	w.keepsAll(next.History, next.Stored)
	w.version++
	w.tenant.Pair, w.tenant.History = next.Stored, next.History
	w.tenant.Own = &Peer{ID: 1, Wwwroot: ownURL, Certificate: next.Certificate, Expires: next.Expires}
	return nil
}

func (w *world) StoreHistory(_ context.Context, read *Tenant, history []Retired, trim bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("store-history")
	if w.storeErr != nil {
		return w.storeErr
	}
	if read.Read.Pair != strconv.Itoa(w.version) {
		return ErrConflict
	}
	if !trim {
		w.keepsAll(history, Stored{})
	}
	w.version++
	w.tenant.History = history
	return nil
}

// keepsAll fails if the history loses a pair, which a Store would refuse.
func (w *world) keepsAll(history []Retired, current Stored) {
	for _, h := range w.tenant.History {
		if h.Stored != current && len(history) < MaxHistory && !slices.ContainsFunc(history, func(o Retired) bool { return o.Stored == h.Stored }) {
			w.t.Error("a retired pair is lost")
		}
	}
}

func (w *world) StorePeer(_ context.Context, p Peer, c *envelope.Certificate) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("store-peer %s", p.Wwwroot)
	if w.peerErr != nil {
		return false, w.peerErr
	}
	for i := range w.tenant.Peers {
		if w.tenant.Peers[i].ID == p.ID && w.tenant.Peers[i].Certificate == c.PEM {
			return true, nil
		}
		if w.tenant.Peers[i].ID == p.ID && w.tenant.Peers[i].Certificate == p.Certificate {
			w.tenant.Peers[i].Certificate, w.tenant.Peers[i].Expires = c.PEM, c.NotAfter.Unix()
			return true, nil
		}
	}
	return false, nil
}

// Locker, Starter, Cache.

func (w *world) Lock(context.Context, time.Duration) (func(), error) {
	w.event("lock")
	return func() { w.event("release") }, w.lockErr
}

func (w *world) StartMNet(context.Context, string) error {
	w.event("start-mnet")
	if w.startErr != nil {
		return w.startErr
	}
	w.tenant.DispatcherMode = "strict"
	if w.tenant.Own == nil {
		w.tenant.Own = &Peer{ID: 1, Wwwroot: ownURL}
	}
	return nil
}

func (w *world) StopMNet(_ context.Context, mode string) error {
	w.event("stop-mnet")
	if w.stopErr != nil {
		return w.stopErr
	}
	w.tenant.DispatcherMode = mode
	return nil
}

func (w *world) Check(context.Context, string) error { return w.checkErr }

// Cached gives the pairs in the web server's cache.
func (w *world) Cached(context.Context, string, bool) ([]Retired, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.cachedErr != nil:
		return nil, w.cachedErr
	case w.cached == nil || w.hidden:
		return nil, nil
	}
	return append([]Retired{{Stored: *w.cached}}, w.alsoCached...), nil
}

func (w *world) Drop(_ context.Context, _ string, scope Scope) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("drop %d", scope)
	if w.dropErr != nil {
		return w.dropErr
	}
	if !w.sticky {
		w.cached = nil
		if w.refill != nil {
			w.refill()
		}
	}
	return nil
}

// Network.

func (w *world) Push(_ context.Context, own Identity, p Peer) Push {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("push %s", p.Wwwroot)
	peer := w.peers[p.Wwwroot]
	if peer.dead {
		return Push{Failure: &Failure{Reason: "connect", Pending: true}, Attempts: 3}
	}
	if peer.refuses == ReasonMNetOff || peer.refuses == ReasonUnknownToPeer && !peer.stock {
		return Push{Failure: &Failure{Reason: peer.refuses}, Attempts: 1}
	}
	if peer.foreign {
		return Push{Failure: &Failure{Reason: "bad_certificate"}, Attempts: 1}
	}
	if !peer.stock {
		peer.knows = own.Key.Certificate.PEM
	}
	answer := peer.own
	if peer.answers != nil {
		answer = peer.answers
	}
	return Push{PeerCertificate: answer.Certificate, Attempts: 1}
}

func (w *world) Prove(_ context.Context, own Identity, p Peer, answered *envelope.Certificate, _ bool) Proof {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("prove %s", p.Wwwroot)
	if p.Wwwroot == ownURL {
		return w.proveOwn(own, p.Node)
	}
	peer := w.peers[p.Wwwroot]
	if peer.refuses != "" {
		f := &Failure{Reason: peer.refuses}
		if f.Reason == ReasonBadCertificate {
			f.Err = peer.own.Certificate.CheckWwwroot(p.Wwwroot)
		}
		return Proof{Certificate: peer.verified, Failure: f, Attempts: 1}
	}
	healable := slices.ContainsFunc(w.tenant.History, func(h Retired) bool { return h.Certificate == peer.knows })
	if row := slices.IndexFunc(w.tenant.Peers, func(q Peer) bool { return q.ID == p.ID }); peer.forgot && w.tenant.Peers[row].Certificate != peer.own.Certificate.PEM {
		// The peer signs this fault.
		return Proof{Certificate: peer.own.Certificate, Failure: &Failure{Reason: "fault_710"}, Attempts: 1}
	}
	if peer.knows != own.Key.Certificate.PEM {
		if !healable || w.web() != w.tenant.Pair {
			return Proof{Failure: &Failure{Reason: "fault_710"}, Attempts: 1}
		}
		peer.knows = own.Key.Certificate.PEM
	}
	return Proof{Certificate: peer.own.Certificate, Attempts: 1}
}

func (w *world) proveOwn(own Identity, node string) Proof {
	w.asked++
	if w.answer != nil {
		if f := w.answer(node, w.asked); f != nil {
			return Proof{Failure: f}
		}
	}
	switch {
	case w.unreachable:
		return Proof{Failure: &Failure{Reason: "timeout", Pending: true}}
	case w.clockAhead:
		return Proof{Failure: &Failure{Reason: "clock"}}
	case w.rc4less:
		return Proof{Failure: &Failure{Reason: "fault_7023"}}
	case w.web().Certificate != own.Key.Certificate.PEM:
		return Proof{Failure: &Failure{Reason: "fault_7023"}}
	case w.tenant.Own.Certificate != own.Key.Certificate.PEM:
		return Proof{Failure: &Failure{Reason: "cannot_open"}}
	}
	return Proof{Certificate: own.Key.Certificate, Attempts: 1}
}

func (w *world) PublicKey(_ context.Context, p Peer) (*envelope.Certificate, *Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event("page %s", p.Wwwroot)
	if w.unreachable {
		return nil, &Failure{Reason: "timeout", Pending: true}
	}
	if f := w.noPage[p.Node]; f != nil {
		return nil, f
	}
	if w.pages[p.Node] == "" && !w.tenant.MNetOn() {
		return nil, &Failure{Reason: ReasonMNetOff}
	}
	text := w.web().Certificate
	if page := w.pages[p.Node]; page != "" {
		text = page
	}
	shown, err := envelope.ParseCertificate(text)
	if err != nil {
		return nil, &Failure{Reason: "bad_certificate"}
	}
	return shown, nil
}

func (w *world) Reachable(_ context.Context, p Peer) *Failure {
	if p.Wwwroot == ownURL {
		if w.unreachable || w.noReach[p.Node] {
			return &Failure{Reason: "connect", Pending: true}
		}
		return nil
	}
	if w.peers[p.Wwwroot].dead {
		return &Failure{Reason: "connect", Pending: true}
	}
	return nil
}

func (w *world) Introduce(_ context.Context, _ Identity, wwwroot string) (Peer, *Failure) {
	peer := w.peers[wwwroot]
	if peer.dead {
		return Peer{}, &Failure{Reason: "connect", Pending: true}
	}
	return Peer{Wwwroot: wwwroot, Application: "moodle", Certificate: peer.own.Certificate.PEM}, nil
}

// newKey is a key for a renewal.
func newKey(int) (*rsa.PrivateKey, error) { return testkey.Key(1024), nil }

// testPairs are the pairs of testPair, by wwwroot and time: to make one is most of a short test.
var testPairs sync.Map

// testPair is the pair of a site that was made at that time, the same in each test.
func testPair(t *testing.T, wwwroot string, made time.Time) *envelope.KeyPair {
	t.Helper()
	name := fmt.Sprint(wwwroot, " ", made.Unix())
	if pair, found := testPairs.Load(name); found {
		return pair.(*envelope.KeyPair)
	}
	pair, err := Certify(testkey.Key(1024), Subject{Wwwroot: wwwroot, Site: "Test"}, made, 28, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := testPairs.LoadOrStore(name, pair)
	return first.(*envelope.KeyPair)
}

func mustParse(certificate string) *envelope.Certificate {
	c, err := envelope.ParseCertificate(certificate)
	if err != nil {
		panic(err)
	}
	return c
}

func storedPair(p *envelope.KeyPair) Stored {
	return Stored{Certificate: p.Certificate.PEM, PrivateKey: p.PEM}
}

func (w *world) Nodes(context.Context, string) ([]string, *Failure) {
	if len(w.nodes) > 0 {
		return w.nodes, nil
	}
	return []string{"192.0.2.1"}, nil
}
