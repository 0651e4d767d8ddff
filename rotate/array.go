package rotate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Array renews many tenants of one code base in two phases: first every selected
// tenant gets its new key and is brought to use it, and only then anybody is
// told. A tenant told of others while they still renew would be told twice, or of
// a key that is gone by then.
//
// Runs at once share the tenants: each renews those whose locks it gets, and
// tells everybody of them before it gives the locks back; the others it reports
// as locked. When all have ended, every row is right that none has reported as
// not proven, and a push finds the rest.
//
// Nothing in it grows with the number of links but one byte for each: peers are
// read one tenant at a time. Of each tenant one pair is kept until it is reported:
// where somebody has overwritten it meanwhile, no other copy may exist.
type Array struct {
	ArrayOptions
	// Template is what all tenants have in common: everything of a Renewal but
	// its Store, Locker, Starter, Cache and Bind.
	Template Renewal
	// Members are all sites of the array, the master among them: whoever may
	// hold a row of a tenant that is renewed.
	Members []Member
	// Selected are the indexes of the members to renew.
	Selected []int
	// Emit takes the report of each tenant as soon as it is complete, from one
	// goroutine at a time.
	Emit func(TenantReport)
	// Phase is told how far a phase is, from one goroutine at a time; may be nil.
	Phase func(phase string, done, total, failed int)

	wellProven atomic.Bool // the web servers have proven themselves by as many answers as a single tenant takes
}

// ArrayOptions are how an array is renewed.
type ArrayOptions struct {
	Parallel    int           // tenants worked on at once
	Fresh       time.Duration // a key younger than this is not renewed again
	PushOnly    bool          // no key is renewed
	RollBack    bool          // the newest retired pairs become current again, instead of new ones
	Canary      int           // how many tenants go first; one that fails stops all others
	MaxFailures int           // phase one stops after so many tenants that failed while they were renewed; 0 never
	FullStop    bool          // phase one stops at the first tenant that fails, or that could not be renewed at all
	ByKeyswap   bool          // tell members like anybody else, over HTTP
	ProveCalls  int           // sealed calls to members that each tenant makes besides; -1 to all
}

// byDatabase are the wwwroots of the sites that are told of new keys, and proven, by
// their databases.
func (a *Array) byDatabase() map[string]bool {
	if a.ByKeyswap {
		return nil
	}
	members := make(map[string]bool, len(a.Members))
	for _, m := range a.Members {
		members[m.Wwwroot] = true
	}
	return members
}

// Member is a site of the array.
type Member struct {
	Wwwroot string
	// Lock keeps other renewals of the member away until release. Its error says
	// what was being done.
	Lock func(ctx context.Context, wait time.Duration) (release func(), err error)
	// Open waits for one of the few places on the member's database server.
	Open func(ctx context.Context) (*Session, error)
}

// Session is a member while its database is open.
type Session struct {
	Store    Store // its Read leaves Peers empty
	Starter  Starter
	Cache    Cache
	PeerRows PeerRows
	Close    func()
}

// renewing is a selected tenant on its way.
type renewing struct {
	member   Member
	at       int // index of the member
	release  func()
	before   SelfCheck
	fresh    bool // it was renewed a short while ago
	kept     bool // its key is young enough, or none is to be renewed
	starts   bool // MNet is to be started there
	report   TenantReport
	current  *Identity         // in use and to be told, without its history; nil where the tenant failed
	replaced string            // the certificate that current replaces, PEM
	side     *side             // what a survey has read of it; nil where it is to be read
	canary   bool              // it goes first
	checked  [sha256.Size]byte // the key that was checked before any was written
}

// use makes a key the one that everybody is told of.
func (t *renewing) use(id Identity, replaced string) {
	id.Retired = nil // private keys that nobody needs before the tenant is read again
	t.report.Exit, t.current, t.replaced = ExitOK, &id, replaced
}

// Run renews the selected tenants. Reports go to Emit; it returns the exit code
// of the whole.
func (a *Array) Run(ctx context.Context) int {
	tenants := a.start()
	defer func() {
		for _, t := range tenants {
			t.release()
		}
	}()
	a.preflightAll(ctx, tenants)
	a.renewAll(ctx, tenants)
	return a.finishAll(ctx, tenants, a.pushToMembers(ctx, tenants))
}

// start makes the selected tenants ready to go.
func (a *Array) start() []*renewing {
	tenants := make([]*renewing, len(a.Selected))
	for i, at := range a.Selected {
		tenants[i] = &renewing{member: a.Members[at], at: at, release: func() {}, report: TenantReport{Wwwroot: a.Members[at].Wwwroot,
			Outcome: Failed, SelfCheck: SelfSkipped, Exit: ExitNotRenewed, Peers: []PeerReport{}}}
	}
	return tenants
}

// behindCanary is how many answers prove the web server of a tenant once more have
// proven that of another: all tenants have the same web servers.
const behindCanary = 2

// proven notes a tenant whose web server all answers have proven.
func (a *Array) proven(t *renewing, r *Renewal) {
	if t.report.SelfCheck == SelfProven && r.Answers != behindCanary {
		a.wellProven.Store(true)
	}
}

// keyOf is what a check was made for: pair, own row and history.
func keyOf(t *Tenant) [sha256.Size]byte {
	h := sha256.New()
	own := ""
	if t.Own != nil {
		own = t.Own.Certificate
	}
	fmt.Fprintf(h, "%s|%s|%s|%d", t.Pair.Certificate, t.Pair.PrivateKey, own, len(t.History))
	return [sha256.Size]byte(h.Sum(nil))
}

// each works on the tenants that are still on their way, a few at once, and
// counts for the phase. work reports failures in the tenant.
func (a *Array) each(phase string, tenants []*renewing, work func(*renewing)) {
	var group errgroup.Group
	group.SetLimit(max(a.Parallel, 1))
	var mu sync.Mutex
	done, failed := 0, 0
	for _, t := range tenants {
		group.Go(func() error {
			work(t)
			mu.Lock()
			defer mu.Unlock()
			done++
			if t.report.Err != nil {
				failed++
			}
			if a.Phase != nil {
				a.Phase(phase, done, len(tenants), failed)
			}
			return nil
		})
	}
	_ = group.Wait() // every failure stands in its tenant's report
}

// emitter emits the report of each tenant as soon as it is complete, and lets go of
// its lock and its peers; in the end it gives the exit code.
func (a *Array) emitter() (emit func(*renewing), code func() int) {
	var mu sync.Mutex
	exits := exitCount{}
	return func(t *renewing) {
		t.release()
		t.release = func() {}
		mu.Lock()
		defer mu.Unlock()
		exits.add(t.report)
		if a.Emit != nil {
			a.Emit(t.report)
		}
		t.report.Peers, t.report.Findings, t.current = nil, nil, nil
	}, exits.code
}

// renewal is the renewal of one member while its session is open.
func (a *Array) renewal(s *Session) *Renewal {
	r := a.Template
	r.Store, r.Starter, r.Cache = s.Store, s.Starter, s.Cache
	return &r
}

// within opens the tenant's session for do, and keeps its error in the report.
func (a *Array) within(ctx context.Context, t *renewing, do func(*Session, *Renewal) error) {
	err := a.inSession(ctx, t, func(s *Session) error {
		r := a.renewal(s)
		if r.Answers == 0 && !t.canary && a.wellProven.Load() {
			r.Answers = behindCanary
		}
		return do(s, r)
	})
	if err != nil {
		t.report.Err, t.report.Error = err, err.Error()
		t.report.Exit = exitFor(err, t.report.Exit)
	}
}

// inSession opens the member's session for do.
func (a *Array) inSession(ctx context.Context, t *renewing, do func(*Session) error) error {
	session, err := t.member.Open(ctx)
	if err != nil {
		return fmt.Errorf("open the tenant's database: %w", err)
	}
	defer session.Close()
	return do(session)
}

// sample draws n of the peers, all where n is negative.
func (a *Array) sample(peers []Peer, n int) ([]Peer, error) {
	if n < 0 || n >= len(peers) {
		return peers, nil
	}
	var seed [32]byte
	if _, err := io.ReadFull(a.Template.Random, seed[:]); err != nil {
		return nil, fmt.Errorf("draw a sample: %w", err)
	}
	drawn := slices.Clone(peers)
	random := rand.New(rand.NewChaCha8(seed))
	random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn[:n], nil
}
