package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"

	"golang.org/x/sync/semaphore"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/rotate"
)

// workOnTenant runs a command for one tenant and gives the exit code.
func workOnTenant(ctx context.Context, cmd subcommand, o options, out *output) int {
	report, err := onTenant(ctx, cmd, o, out)
	if err != nil {
		report = failed(o.Host, exitFor(err), err)
	}
	return out.print(report, exitAfterSignal(ctx, report.Exit))
}

// onTenant wires the rooms together for one tenant. Its error is one of the way to
// the tenant; what happens to the tenant stands in the report.
func onTenant(ctx context.Context, cmd subcommand, o options, out *output) (rotate.TenantReport, error) {
	none := rotate.TenantReport{}
	key := rsa.GenerateKey
	if o.Command == "renew" && !o.DryRun && !o.Due.OnlyIfDue {
		key = generateAhead(o.KeyBits)
	}
	master, tenant, err := resolve(ctx, o, out.getenv)
	if err != nil {
		return none, err
	}
	client, err := newClient(o, out.log)
	if err != nil {
		return none, err
	}
	defer client.Close()
	db, err := moodledb.Open(ctx, tenant)
	if err != nil {
		return none, fmt.Errorf("open the tenant's database: %w", err)
	}
	defer db.Close()
	if o.writes() {
		db.ForChanges()
	}

	links, err := resolveLinks(ctx, o.BindHost, master, tenant, db)
	if err != nil {
		return none, err
	}
	renewal := newRenewal(o, client, out.log)
	renewal.Bind, renewal.Progress = links, out.progress
	renewal.GenerateKey = func(bits int) (*rsa.PrivateKey, error) { return key(rand.Reader, bits) }
	renewal.Store, renewal.Locker, renewal.Starter = db, db, db
	renewal.Cache = out.cacheOf(newCache(master, tenant, o.PHP, out.log), tenant)
	renewal.Counterpart = counterparts(ctx, master, tenant, out.log)
	work := cmd.one
	if o.DryRun {
		work = cmd.plan
	}
	report := work(&renewal, ctx, o)
	if report.Wwwroot == "" { // stopped before the tenant was read
		report.Wwwroot = tenant.Wwwroot
	}
	explainFindings(&report)
	return report, nil
}

// explainFindings fills in what the diagnosis of a tenant that could not even be
// read does not know: whose it is, and what the database's error advises.
func explainFindings(report *rotate.TenantReport) {
	for i := range report.Findings {
		f := &report.Findings[i]
		if f.Subject == "" {
			f.Subject = report.Wwwroot
		}
		if hint := rotate.HintOf(report.Err); report.Err != nil && hint != "" {
			f.Next = hint
		}
	}
}

// maxCounterparts bounds the databases of the array that are open at once.
const maxCounterparts = 8

// counterparts finds the databases of peers that are sites of the same array: what
// they hold of the tenant can be read there, and their calls be made. Where there
// is no array, or its register cannot be read, no peer's is at hand.
func counterparts(ctx context.Context, master, tenant *config.Config, log logger) func(context.Context, rotate.Peer) (*rotate.Counterpart, error) {
	array, err := readArray(ctx, master)
	if err != nil {
		log.Warn().Err(err).Msg("the register of the array cannot be read: links are looked at from this side only")
		return nil
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

// generateAhead starts making the key while config.php is read and the database
// opened: it is the longest step, and a key that is not needed costs nothing.
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
