package rotate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
)

// fleet is an array in memory: sites that all know each other, each with its rows and a web server
// with a cache.
type fleet struct {
	t      *testing.T
	mu     sync.Mutex
	sites  []*fleetSite
	byURL  map[string]*fleetSite
	events []string
	on     func(event string)

	open, maxOpen int // sessions
	locked        map[string]bool
	reports       map[string]TenantReport
	nobody        Failure // of a call to a wwwroot at which there is no site
}

type fleetSite struct {
	f         *fleet
	tenant    Tenant
	version   int
	cached    *Stored
	sticky    bool     // its web server keeps the old key
	stillOn   bool     // its web server answers although its database says that MNet is off
	down      bool     // its database does not answer
	own       *Failure // the result of its calls to itself, nil: as its web server answers
	webDown   *Failure // the result of all calls to it, nil: as its web server answers
	readErr   error
	rightsErr error // of CheckPeerRights, for changes
	loadErr   error
	lockErr   error
	fails     func(call string) error // of its database, by call: read, list, load, hold, look
	rows      map[string]*fleetRow    // by the other site's wwwroot
	order     []string
	proveFail Reason // reason of sealed calls to it by others
}

type fleetRow struct {
	certificate string
	deleted     bool
}

func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{t: t, byURL: map[string]*fleetSite{}, locked: map[string]bool{}, reports: map[string]TenantReport{}, nobody: Failure{Reason: ReasonDNS, Pending: true, Err: &net.DNSError{IsNotFound: true}}}
	for i := range n {
		f.add(fmt.Sprintf("https://t%02d.example", i))
	}
	for _, s := range f.sites {
		for _, other := range f.sites {
			if other != s {
				s.know(other)
			}
		}
	}
	return f
}

func (f *fleet) add(wwwroot string) *fleetSite {
	pair := testPair(f.t, wwwroot, clock.AddDate(0, 0, -20))
	s := &fleetSite{f: f, rows: map[string]*fleetRow{}, tenant: Tenant{
		Wwwroot: wwwroot, DispatcherMode: "strict", LifetimeDays: 28, Generations: 3, Pair: storedPair(pair),
		Own: &Peer{ID: 1, Wwwroot: wwwroot, Certificate: pair.Certificate.PEM, Expires: pair.Certificate.NotAfter.Unix()}}}
	cached := s.tenant.Pair
	s.cached = &cached
	f.sites = append(f.sites, s)
	f.byURL[wwwroot] = s
	return s
}

func (s *fleetSite) know(other *fleetSite) {
	s.rows[other.tenant.Wwwroot] = &fleetRow{certificate: other.tenant.Pair.Certificate}
	s.order = append(s.order, other.tenant.Wwwroot)
	slices.Sort(s.order)
}

func (f *fleet) event(format string, args ...any) {
	e := fmt.Sprintf(format, args...)
	if f.on != nil {
		f.on(e)
	}
	f.events = append(f.events, e)
}

// count is how often an event happened.
func (f *fleet) count(event string) (n int) {
	for _, e := range f.events {
		if e == event {
			n++
		}
	}
	return n
}

// array renews the sites of these indexes, or all.
func (f *fleet) array(o ArrayOptions, selected ...int) *Array {
	o.Parallel = 3
	a := &Array{ArrayOptions: o, Selected: selected,
		Template: Renewal{Options: Options{SelfCheck: SelfCheckAuto, Answers: 1}, Network: f,
			GenerateKey: newKey,
			Random:      rand.Reader, Now: func() time.Time { return clock },
			Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, Log: zerolog.Nop()},
		Emit: func(r TenantReport) { r.Peers = slices.Clone(r.Peers); f.reports[r.Wwwroot] = r },
	}
	for i, s := range f.sites {
		a.Members = append(a.Members, Member{Wwwroot: s.tenant.Wwwroot, Lock: s.lock, Open: s.openSession})
		if len(selected) == 0 {
			a.Selected = append(a.Selected, i)
		}
	}
	return a
}

func (s *fleetSite) lock(context.Context, time.Duration) (func(), error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.lockErr != nil {
		return nil, s.lockErr
	}
	if s.f.locked[s.tenant.Wwwroot] {
		return nil, ErrLocked
	}
	s.f.locked[s.tenant.Wwwroot] = true
	return func() {
		s.f.mu.Lock()
		defer s.f.mu.Unlock()
		delete(s.f.locked, s.tenant.Wwwroot)
	}, nil
}

var errDown = errors.New("database is down")

func (s *fleetSite) openSession(ctx context.Context) (*Session, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	f.open++
	f.maxOpen = max(f.maxOpen, f.open)
	return &Session{Store: s, Starter: s, Cache: s, PeerRows: s, Close: func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.open--
	}}, nil
}

func (s *fleetSite) fault(call string) error {
	if s.fails == nil {
		return nil
	}
	return s.fails(call)
}

// Store, Starter, Cache.

func (s *fleetSite) Read(context.Context) (*Tenant, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if err := cmpErr(s.readErr, s.fault("read")); err != nil {
		return nil, err
	}
	t := s.tenant
	t.History = slices.Clone(t.History)
	t.Read.Pair = strconv.Itoa(s.version)
	return &t, nil
}

func (s *fleetSite) CheckRights(context.Context) error { return nil }

func (s *fleetSite) CheckPeerRights(_ context.Context, changes bool) error {
	if changes {
		return s.rightsErr
	}
	return nil
}

func (s *fleetSite) StoreKey(_ context.Context, read *Tenant, next Keys) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("store %s", s.tenant.Wwwroot)
	if !s.f.locked[s.tenant.Wwwroot] {
		s.f.t.Errorf("%s is written without its lock", s.tenant.Wwwroot)
	}
	if read.Read.Pair != strconv.Itoa(s.version) {
		return ErrConflict
	}
	s.version++
	s.tenant.Pair, s.tenant.History = next.Stored, next.History
	s.tenant.Own = &Peer{ID: 1, Wwwroot: cmp.Or(next.Wwwroot, s.tenant.Own.Wwwroot), Certificate: next.Certificate, Expires: next.Expires}
	return nil
}

func (s *fleetSite) StoreHistory(_ context.Context, read *Tenant, history []Retired, _ bool) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("store-history %s", s.tenant.Wwwroot)
	if read.Read.Pair != strconv.Itoa(s.version) {
		return ErrConflict
	}
	s.version++
	s.tenant.History = history
	return nil
}

func (s *fleetSite) StorePeer(_ context.Context, p Peer, c *envelope.Certificate) (bool, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("peer %s", s.tenant.Wwwroot)
	if err := s.fault("peer"); err != nil {
		return false, err
	}
	row := s.rows[p.Wwwroot]
	if row == nil || row.certificate != p.Certificate && row.certificate != c.PEM {
		return false, nil
	}
	row.certificate = c.PEM
	return true, nil
}

func (s *fleetSite) StartMNet(context.Context, string) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("start %s", s.tenant.Wwwroot)
	s.tenant.DispatcherMode = "strict"
	if s.tenant.Own == nil {
		s.tenant.Own = &Peer{ID: 1, Wwwroot: s.tenant.Wwwroot}
	}
	return nil
}

func (s *fleetSite) StopMNet(_ context.Context, mode string) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("stop %s", s.tenant.Wwwroot)
	s.tenant.DispatcherMode = mode
	return nil
}

func (s *fleetSite) Check(context.Context, string) error { return nil }

func (s *fleetSite) Drop(context.Context, string, Scope) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if !s.sticky {
		s.cached = nil
	}
	return nil
}

func (s *fleetSite) web() Stored {
	if s.cached == nil {
		pair := s.tenant.Pair
		s.cached = &pair
	}
	return *s.cached
}

// PeerRows.

func (s *fleetSite) PeerList(context.Context) ([]Peer, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if err := s.fault("list"); err != nil {
		return nil, err
	}
	var peers []Peer
	for i, w := range s.order {
		if row := s.rows[w]; row != nil && !row.deleted {
			peers = append(peers, Peer{ID: int64(i + 10), Wwwroot: w, Application: "moodle", ServerURL: localServerURL})
		}
	}
	return peers, nil
}

func (s *fleetSite) LoadPeers(ctx context.Context, peers []Peer) ([]Peer, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if err := cmpErr(ctx.Err(), s.loadErr, s.fault("load")); err != nil {
		return nil, err
	}
	loaded := slices.Clone(peers)
	for i := range loaded {
		loaded[i].Certificate = s.rows[loaded[i].Wwwroot].certificate
	}
	return loaded, nil
}

func (s *fleetSite) StorePeerKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	return s.eachRow("hold", keys, func(row *fleetRow, k HostKey) StoreResult {
		row.certificate = k.Certificate.PEM
		return KeyStored
	})
}

// eachRow visits the rows of the keys' sites that exist.
func (s *fleetSite) eachRow(event string, keys []HostKey, visit func(*fleetRow, HostKey) StoreResult) ([]StoreResult, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event(event+" %s", s.tenant.Wwwroot)
	if err := s.fault(event); err != nil {
		return nil, err
	}
	results := make([]StoreResult, len(keys))
	for i, k := range keys {
		row, former := s.rows[k.Wwwroot], s.rows[k.Was]
		if former != nil && !k.Owns(former.certificate) {
			former = nil
			results[i] = RowNotOurs
		}
		switch {
		case row != nil && former != nil && !former.deleted:
			visit(row, k)
			results[i] = RowTwice
			continue
		case row == nil && former != nil && !former.deleted && event == "look":
			results[i] = RowNamedAsBefore
			continue
		case row == nil && former != nil && !former.deleted:
			s.rows[k.Wwwroot], row = former, former
			delete(s.rows, k.Was)
			s.order = append(s.order, k.Wwwroot)
			slices.Sort(s.order)
		}
		switch {
		case row == nil && s.rows[k.Wwwroot+"/"] != nil:
			results[i] = RowNotFound
		case row == nil:
			results[i] = max(results[i], NoRow)
		case row.deleted:
			results[i] = RowDeleted
		default:
			results[i] = visit(row, k)
		}
	}
	return results, nil
}

func (s *fleetSite) RowsNamed(_ context.Context, wwwroot string) ([]int64, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if row := s.rows[wwwroot]; row != nil {
		return []int64{99}, nil
	}
	return nil, nil
}

// Network: local sites, members called by others, and no other site.

func (f *fleet) Push(_ context.Context, own Identity, p Peer) Push {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.event("push %s", p.Wwwroot)
	s := f.byURL[p.Wwwroot]
	if s == nil {
		return Push{Failure: &Failure{Reason: "connect", Pending: true}, Attempts: 1}
	}
	if row := s.rows[own.Wwwroot]; row != nil {
		row.certificate = own.Key.Certificate.PEM
	}
	c, _ := envelope.ParseCertificate(s.web().Certificate)
	return Push{PeerCertificate: c, Attempts: 1}
}

func (f *fleet) Prove(_ context.Context, own Identity, p Peer, answered *envelope.Certificate, mayKeyswap bool) Proof {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.event("prove %s", p.Wwwroot)
	if answered == nil && !mayKeyswap && certificateOf(p) == nil { // as package peers does
		return Proof{Failure: NoCertificate()}
	}
	s := f.byURL[cmp.Or(p.At, p.Wwwroot)]
	if failure := s.answers(own, p, answered); failure != nil {
		return Proof{Failure: failure, Attempts: 1}
	}
	c, _ := envelope.ParseCertificate(s.web().Certificate)
	return Proof{Certificate: c, Attempts: 1}
}

// answers is the failure of a sealed call to the site, nil if it is answered.
func (s *fleetSite) answers(own Identity, p Peer, answered *envelope.Certificate) *Failure {
	sealed := p.Certificate
	if answered != nil {
		sealed = answered.PEM
	}
	row := s.rows[own.Wwwroot]
	switch {
	case s.webDown != nil:
		return s.webDown
	case s.tenant.DispatcherMode == "off" && !s.stillOn:
		return &Failure{Reason: "mnet_off"}
	case p.Wwwroot == own.Wwwroot && s.tenant.Own != nil && s.tenant.Own.Wwwroot != own.Wwwroot:
		return &Failure{Reason: "unknown_to_peer"} // a call is answered to a host that has a row
	case p.Wwwroot == own.Wwwroot && s.own != nil:
		return s.own
	case p.Wwwroot == own.Wwwroot && s.web().Certificate != own.Key.Certificate.PEM:
		return &Failure{Reason: "fault_7023"}
	case p.Wwwroot == own.Wwwroot:
		return nil
	case s.proveFail != "":
		return &Failure{Reason: s.proveFail}
	case sealed != s.web().Certificate:
		return &Failure{Reason: "fault_7023"}
	case row == nil || row.deleted:
		return &Failure{Reason: "unknown_to_peer"}
	case row.certificate != own.Key.Certificate.PEM:
		return &Failure{Reason: "fault_710"}
	}
	return nil
}

func (f *fleet) PublicKey(_ context.Context, p Peer) (*envelope.Certificate, *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.byURL[cmp.Or(p.At, p.Wwwroot)]
	if s == nil {
		nobody := f.nobody
		return nil, &nobody
	}
	if !s.tenant.MNetOn() && !s.stillOn {
		return nil, &Failure{Reason: ReasonMNetOff}
	}
	shown, err := envelope.ParseCertificate(s.web().Certificate)
	if err != nil {
		return nil, &Failure{Reason: "bad_certificate"}
	}
	if shown.CheckWwwroot(p.Wwwroot) != nil {
		return nil, &Failure{Reason: "bad_certificate", Other: shown.SubjectAltName, Shown: shown}
	}
	return shown, nil
}

func (f *fleet) Reachable(_ context.Context, p Peer) *Failure {
	if s := f.byURL[p.Wwwroot]; s != nil {
		return s.own
	}
	return nil
}

func (f *fleet) Nodes(context.Context, string) ([]string, *Failure) {
	return []string{"192.0.2.1"}, nil
}

// Cached gives the pairs in the web server's cache.
func (s *fleetSite) Cached(context.Context, string, bool) ([]Retired, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.cached == nil {
		return nil, nil
	}
	return []Retired{{Stored: *s.cached}}, nil
}

// wrap changes each session of a member when it is opened.
func (m *Member) wrap(change func(*Session)) {
	open := m.Open
	m.Open = func(ctx context.Context) (*Session, error) {
		s, err := open(ctx)
		if err == nil {
			change(s)
		}
		return s, err
	}
}
