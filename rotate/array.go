package rotate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"renew_mnetkeys/envelope"
)

// Array renews many tenants in two phases: first every selected tenant gets its
// new key and is made to use it, and only then the keys are pushed. If keys were pushed to tenants
// that still renew, they would have to be pushed twice, or a pushed key would be replaced at once.
//
// Runs at the same time share the tenants: each renews those whose locks it gets, and pushes their
// keys to all peers before it releases the locks; it reports the others as locked. When all runs
// have ended, every row is right that no run has reported as not proven, and a push finds the rest.
//
// Memory grows with the number of links by only one byte for each: peers are read one tenant at a
// time. One pair of each tenant is kept until the tenant is reported: if another program has
// overwritten it meanwhile, there may be no other copy.
type Array struct {
	ArrayOptions
	// Template is what all tenants have in common: everything of a Renewal but its Store, Locker,
	// Starter, Cache, CommandLinePHP and Bind.
	Template Renewal
	// Members are all sites of the array, including the master: each of them may have a row of a
	// tenant that is renewed.
	Members []Member
	// Selected are the indexes of the members to renew.
	Selected []int
	// Emit receives the report of each tenant as soon as it is complete, from one goroutine at a
	// time.
	Emit func(TenantReport)
	// Phase receives the progress of a phase, from one goroutine at a time; may be nil.
	Phase func(phase string, p Progress)

	wellProven sync.Map     // the WebServers that gave as many answers as prove a single tenant
	looks      sync.Map     // func() bool, by wwwroot: whether another run has the lock
	looked     atomic.Int64 // how long the looks of busy took, in nanoseconds
	looking    sync.Map     // *sync.Mutex, by wwwroot: for one look at a lock at a time
}

// Progress counts the tenants, or members, of a phase. Stopped are those of Done for which the run
// was stopped before; they have not failed.
type Progress struct{ Done, Total, Failed, Stopped int }

// ArrayOptions say how an array is renewed.
type ArrayOptions struct {
	Parallel    int           // number of tenants worked on at the same time
	Fresh       time.Duration // a key younger than this is not renewed again
	PushOnly    bool          // no key is renewed
	RollBack    bool          // the newest retired pairs become current; no new pairs are made
	Canary      int           // number of tenants that go first; if one fails, all others stop
	MaxFailures int           // number of failures during renewal that stops phase one; 0: no limit
	FullStop    bool          // after the first tenant that fails nothing more is begun
	ByKeyswap   bool          // push to members over HTTP, as to all other peers
	ProveCalls  int           // additional sealed calls of each tenant to members; -1: to all
}

// Member is a site of the array.
type Member struct {
	// Wwwroot is the path of config.php if that cannot be read.
	Wwwroot string
	// WebServers is the same for members whose web servers are the same: the tenants of one
	// VMoodle.
	WebServers string
	// Lock keeps other renewals of the member away until release. Its error says what was being
	// done.
	Lock func(ctx context.Context, wait time.Duration) (release func(), err error)
	// Open waits for one of the few places on the member's database server. Its error says what was
	// being done.
	Open func(ctx context.Context) (*Session, error)
}

// Session is a member while its database is open.
type Session struct {
	Store    Store // its Read leaves Peers empty
	Starter  Starter
	Cache    Cache
	PeerRows PeerRows
	// CommandLinePHP is that of a Renewal.
	CommandLinePHP func(context.Context) string
	Close          func()
}

// renewing is a selected tenant during the run.
type renewing struct {
	member  Member
	at      int // index of the member
	release func()
	before  SelfCheck
	fresh   bool // it was renewed a short while ago
	kept    bool // its key is young enough, or no key is to be renewed
	starts  bool // MNet is to be started there
	report  TenantReport
	current *Identity               // the key to push, without its history; nil after a failure
	had     []*envelope.Certificate // of a site that moves: of its keys before current
	side    *side                   // what a survey has read of it; nil if it is still to be read
	canary  bool                    // it goes first
	key     chan generated          // receives the new key
	checked [sha256.Size]byte       // the key that was checked before any was written
}

// use makes a key the one that is pushed to all peers.
func (t *renewing) use(id Identity) {
	id.Retired = nil // private keys that are not needed before the tenant is read again
	t.report.Exit, t.current = ExitOK, &id
}

// Run renews the selected tenants. Emit receives the reports; Run returns the exit code of the
// whole run.
func (a *Array) Run(ctx context.Context) int {
	tenants := a.start()
	defer func() {
		for _, t := range tenants {
			t.release()
		}
	}()
	keys := a.startKeys(ctx, len(tenants))
	failures := a.limit()
	a.preflightAll(ctx, tenants, keys, failures)
	a.renewAll(ctx, tenants, failures)
	a.leaveOutRest(tenants, failures)
	keys.stop()
	return a.finishAll(ctx, tenants, a.pushToMembers(ctx, tenants))
}

// busy implements Busy of a Renewal. A member is looked at once: its lock is not taken for each link.
// Servers that do not answer are not waited for by each of many members.
func (a *Array) busy(ctx context.Context, wwwroot string) bool {
	if a.looked.Load() > int64(lookAtLock) {
		return false
	}
	begun := a.Template.Now()
	defer func() { a.looked.Add(int64(a.Template.Now().Sub(begun))) }()
	look, _ := a.looks.LoadOrStore(wwwroot, sync.OnceValue(func() bool {
		at := slices.IndexFunc(a.Members, func(m Member) bool { return m.Wwwroot == wwwroot })
		return at >= 0 && AnotherRuns(ctx, a.looker(a.Members[at]))
	}))
	return look.(func() bool)()
}

// looker is a member's lock for commands that only look whether another run has it. One looks at a
// time: a lock that this run has itself, for a moment, seems to be another run's.
func (a *Array) looker(m Member) Locker {
	one, _ := a.looking.LoadOrStore(m.Wwwroot, new(sync.Mutex))
	looking := one.(*sync.Mutex)
	return lockFunc(func(ctx context.Context, wait time.Duration) (func(), error) {
		looking.Lock()
		release, err := m.Lock(ctx, wait)
		if err != nil {
			looking.Unlock()
			return nil, err
		}
		return func() { release(); looking.Unlock() }, nil
	})
}

// start prepares the selected tenants.
func (a *Array) start() []*renewing {
	tenants := make([]*renewing, len(a.Selected))
	for i, at := range a.Selected {
		tenants[i] = &renewing{member: a.Members[at], at: at, release: func() {}, key: make(chan generated, 1), report: TenantReport{Wwwroot: a.Members[at].Wwwroot,
			Outcome: Failed, SelfCheck: SelfSkipped, Exit: ExitNotRenewed, Peers: []PeerReport{}}}
		if from := a.Template.MovedFrom; from != "" {
			a.Members[at] = a.Members[at].moved(from)
			tenants[i].member, tenants[i].report.Moved = a.Members[at], &MoveReport{From: from}
		}
	}
	a.Template.members = make(map[string]bool, len(a.Members))
	for _, m := range a.Members {
		a.Template.members[envelope.FoldWwwroot(m.Wwwroot)] = true
	}
	return tenants
}

// behindCanary is how many answers prove the web server of a tenant, after full proof of another
// tenant's that has the same web servers. With a hook each tenant is asked in full: the web servers
// may have a cache each, and one of them the only copy of this tenant's key.
const behindCanary = 2

// proven notes a tenant whose web server was proven by all answers.
func (a *Array) proven(t *renewing, r *Renewal) {
	if t.report.SelfCheck == SelfProven && r.Answers != behindCanary {
		a.wellProven.Store(t.member.WebServers, true)
	}
}

// keyOf identifies what a check was made for: pair, local host row and history.
func keyOf(t *Tenant) [sha256.Size]byte {
	h := sha256.New()
	own := ""
	if t.Own != nil {
		own = t.Own.Certificate
	}
	fmt.Fprintf(h, "%s|%s|%s|%d", t.Pair.Certificate, t.Pair.PrivateKey, own, len(t.History))
	return [sha256.Size]byte(h.Sum(nil))
}

// each runs work for the tenants that are still in the run, a few at a time, and counts for the
// phase. work reports failures in the tenant.
func (a *Array) each(phase string, tenants []*renewing, work func(*renewing)) {
	var group errgroup.Group
	group.SetLimit(max(a.Parallel, 1))
	var mu sync.Mutex
	p := Progress{Total: len(tenants)}
	for _, t := range tenants {
		group.Go(func() error {
			work(t)
			mu.Lock()
			defer mu.Unlock()
			p.Done++
			switch {
			case IsStopped(t.report.Err):
				p.Stopped++
			case t.report.Err != nil:
				p.Failed++
			}
			if a.Phase != nil {
				a.Phase(phase, p)
			}
			return nil
		})
	}
	_ = group.Wait() // every failure is in its tenant's report
}

// emitter emits the report of each tenant as soon as it is complete, and releases its lock and its
// peers. code gives the exit code at the end.
func (a *Array) emitter() (emit func(*renewing), code func() int) {
	var mu sync.Mutex
	exits := exitCount{}
	return func(t *renewing) {
		t.release()
		t.release = func() {}
		t.report.joinRows()
		t.report.isCopy(a.Template.isMember)
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
	r.Store, r.Starter, r.Cache, r.CommandLinePHP = s.Store, s.Starter, s.Cache, s.CommandLinePHP
	return &r
}

// within opens the tenant's session for do, and puts its error into the report.
func (a *Array) within(ctx context.Context, t *renewing, do func(*Session, *Renewal) error) {
	err := a.inSession(ctx, t, func(s *Session) error {
		r := a.renewal(s)
		if _, proven := a.wellProven.Load(t.member.WebServers); proven && r.Answers == 0 && !t.canary && !r.hooked() {
			r.Answers = behindCanary
		}
		err := do(s, r)
		if r.nodes != nil {
			t.report.Nodes = r.nodes
		}
		return err
	})
	var other *OtherSiteError
	if errors.As(err, &other) {
		other.Member = a.Template.isMember(other.Row)
	}
	if err != nil {
		t.report.Err, t.report.Error = err, err.Error()
		t.report.Exit = exitFor(err, t.report.Exit)
		t.report.forgetCutShort(ctx)
	}
}

// inSession opens the member's session for do.
func (a *Array) inSession(ctx context.Context, t *renewing, do func(*Session) error) error {
	session, err := t.member.Open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// sample draws n of the peers, or all if n is negative.
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
