package run

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/muc"
	"renew_mnetkeys/rotate"
)

// runner is one run of a command.
type runner struct {
	cmd    cmdline.Command
	o      cmdline.Options
	getenv func(string) string
	out    *output.Printer
	hooks  *hookRunner
}

// workOnTenant runs a command for one tenant and gives the exit code.
func (r runner) workOnTenant(ctx context.Context) int {
	work := r.onTenant
	if r.cmd.Single {
		work = r.onMember
	}
	report, err := work(ctx)
	if err != nil {
		err = r.o.Located(endedBy(ctx, err))
		confirmed := report.Wwwroot != ""
		report = output.Failed(cmp.Or(report.Wwwroot, r.o.Host), exitFor(err), err)
		report.Unconfirmed = !confirmed
		known := confirmed && exitFor(err) != rotate.ExitUsage || errors.As(err, new(*moodledb.ContestedError)) || errors.As(err, new(*config.RowError))
		if known && r.cmd.Prints == cmdline.PrintsFindings {
			report.Findings = []rotate.Finding{rotate.Unreadable(ctx, report.Wwwroot, err)}
		}
	}
	return r.out.Print(report, exitAfterSignal(ctx, report.Exit))
}

// endedBy gives what ended a run before it reached a tenant, as [rotate.Ended] does.
func endedBy(ctx context.Context, err error) error {
	ended := rotate.Ended(ctx, err)
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("nothing was done: %w", ended)
}

// onTenant puts the packages together for one tenant. Its error is one that occurred before the
// tenant was reached: the report then has only its wwwroot, if that is known. Otherwise the result
// of the tenant is in the report.
func (r runner) onTenant(ctx context.Context) (rotate.TenantReport, error) {
	none, o, out := rotate.TenantReport{}, r.o, r.out
	key := rsa.GenerateKey
	if r.cmd.MakesKey && !o.DryRun && !o.Due.OnlyIfDue {
		key = generateAhead(o.KeyBits)
	}
	master, tenant, err := resolve(ctx, o, r.getenv)
	if err != nil {
		return none, err
	}
	out.Site = siteOf(master, r.getenv)
	none.Wwwroot = tenant.Wwwroot
	client, err := newClient(o, out.Log)
	if err != nil {
		return none, err
	}
	defer client.Close()
	db, err := moodledb.Open(ctx, tenant)
	if err != nil {
		return none, fmt.Errorf("open the tenant's database: %w", rotate.Ended(ctx, err))
	}
	defer db.Close()
	if o.Writes() {
		db.ForChanges()
	}

	links, err := resolveLinks(ctx, o.BindHost, master, tenant, db)
	if err != nil {
		return none, err
	}
	renewal := newRenewal(o, client, out)
	renewal.Bind, renewal.Progress = links, out.Progress
	renewal.GenerateKey = func(bits int) (*rsa.PrivateKey, error) { return key(rand.Reader, bits) }
	logged := loggedTenant{db, tenant.Wwwroot, out.Log}
	renewal.Store, renewal.Starter = logged, logged
	renewal.Locker = &lockIfGiven{lock: logged.Lock, warned: new(sync.Once), log: out.Log}
	renewal.Cache = r.hooks.cacheOf(muc.New(master, tenant, o.PHP, out.Log), tenant)
	renewal.CommandLinePHP = commandLinePHP(tenant, o.PHP)
	renewal.Counterpart, renewal.Busy = counterparts(ctx, master, tenant), busy(master)
	work := r.cmd.One
	if o.DryRun {
		work = r.cmd.Plan
	}
	report := work(&renewal, ctx, o)
	if report.Wwwroot == "" { // stopped before the tenant was read
		report.Wwwroot = tenant.Wwwroot
	}
	output.ExplainFindings(&report)
	return report, nil
}

// maxCounterparts bounds the databases of the array that are open at the same time.
const maxCounterparts = 8

// counterparts finds the databases of peers that are sites of the same array: their rows of the
// tenant can be read there, and their calls can be made. If the register of the array cannot be
// read, no Moodle's side of a link is known: each may be a site of the array.
func counterparts(ctx context.Context, master, tenant *config.Config) func(context.Context, rotate.Peer) (*rotate.Counterpart, error) {
	array, err := readArray(ctx, master)
	if err != nil {
		err = rotate.Ended(ctx, err)
		return func(_ context.Context, p rotate.Peer) (*rotate.Counterpart, error) {
			if p.Application == "mahara" { // the register has Moodles only
				return nil, nil
			}
			return nil, fmt.Errorf("not found, because %w: %w", rotate.ErrNoRegister, err)
		}
	}
	if master.Register == nil {
		return nil
	}
	places := semaphore.NewWeighted(maxCounterparts)
	return func(ctx context.Context, p rotate.Peer) (*rotate.Counterpart, error) {
		if row, isTenant := array.row(p.Wwwroot); !envelope.SameWwwroot(p.Wwwroot, master.Wwwroot) && (!isTenant || !row.Enabled) {
			return nil, nil
		}
		if err := places.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer places.Release(1)
		counterpart, err := moodledb.FindTenant(ctx, master, p.Wwwroot)
		if errors.As(err, new(*moodledb.ContestedError)) { // as in a run on the array: it is not known which database is the peer's
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		db, err := moodledb.Open(ctx, counterpart)
		if err != nil {
			return nil, err
		}
		defer db.Close()
		other, err := db.Read(ctx)
		if err != nil {
			return nil, err
		}
		return rotate.CounterpartOf(other, tenant.Wwwroot), nil
	}
}

// busy finds out whether another run has the lock of a peer that is a site of the same array.
func busy(master *config.Config) func(ctx context.Context, wwwroot string) bool {
	if master.Register == nil {
		return nil
	}
	return func(ctx context.Context, wwwroot string) bool {
		site, err := moodledb.FindTenant(ctx, master, wwwroot)
		if err != nil {
			return false
		}
		db, err := moodledb.Open(ctx, site)
		if err != nil {
			return false
		}
		defer db.Close()
		return rotate.AnotherRuns(ctx, db)
	}
}

// generateAhead starts making the key while config.php is read and the database is opened: it is
// the longest step, and a key that is not needed costs nothing.
func generateAhead(bits int) func(io.Reader, int) (*rsa.PrivateKey, error) {
	type made struct {
		key *rsa.PrivateKey
		err error
	}
	ahead := make(chan made, 1)
	go func() {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		ahead <- made{key, err}
	}()
	return func(io.Reader, int) (*rsa.PrivateKey, error) {
		m := <-ahead
		return m.key, m.err
	}
}
