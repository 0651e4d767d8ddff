package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// renew runs the renewal of one tenant and gives the exit code.
func renew(ctx context.Context, o options, getenv func(string) string, stdout, stderr io.Writer) int {
	started := time.Now()
	out := newOutput(o, stdout, stderr, getenv)
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
	defer cancel()

	report, err := renewTenant(ctx, o, getenv, out)
	if err != nil {
		report = rotate.TenantReport{Wwwroot: o.Host, Outcome: rotate.Failed, SelfCheck: rotate.SelfSkipped,
			Error: err.Error(), Err: err, Exit: exitFor(err), Peers: []rotate.PeerReport{}}
	}
	code := exitAfterSignal(ctx, report.Exit)
	out.print(report, started, code)
	return code
}

// exitAfterSignal gives the exit code of a run that a signal ended, unless the
// own site needs somebody to act: that must not look like a safe point.
func exitAfterSignal(ctx context.Context, code int) int {
	var sig *signalError
	if code != rotate.ExitOwnSite && errors.As(context.Cause(ctx), &sig) {
		return 128 + int(sig.signal)
	}
	return code
}

// errDeadline is the cause of a context that --deadline ended.
var errDeadline = errors.New("the run's --deadline has passed")

// exitFor tells what is wrong with the configuration from what is wrong with the
// database behind it.
func exitFor(err error) int {
	var config *moodledb.ConfigError
	var unknown *moodledb.UnknownTenantError
	var dbtype *moodledb.UnsupportedDBError
	var usage *usageError
	if errors.As(err, &config) || errors.As(err, &unknown) || errors.As(err, &dbtype) || errors.As(err, &usage) {
		return rotate.ExitUsage
	}
	return rotate.ExitNotRenewed
}

// renewTenant wires the rooms together for one tenant. Its error is one of the
// way to the tenant; what happens to the tenant stands in the report.
func renewTenant(ctx context.Context, o options, getenv func(string) string, out *output) (rotate.TenantReport, error) {
	none := rotate.TenantReport{}
	key := rsa.GenerateKey
	if !o.DryRun {
		key = generateAhead(o.KeyBits)
	}
	master, tenant, err := resolve(ctx, o, getenv)
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

	net := network{client}
	links, err := resolveLinks(ctx, o.BindHost, master, tenant, db, net)
	if err != nil {
		return none, err
	}
	store := &tenantStore{db: db, config: tenant, ipAddress: net.own(tenant)}
	renewal := newRenewal(o, net, out.log)
	renewal.Bind, renewal.Progress = links, out.progress
	renewal.GenerateKey = func(bits int) (*rsa.PrivateKey, error) { return key(rand.Reader, bits) }
	renewal.Store, renewal.Locker, renewal.Starter = store, store, store
	renewal.Cache = newCache(master, tenant, store, out.log)
	run := renewal.Run
	if o.DryRun {
		run = renewal.Plan
	}
	report := run(ctx)
	if report.Wwwroot == "" { // stopped before the tenant was read
		report.Wwwroot = tenant.Wwwroot
	}
	return report, nil
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

// newRenewal is a renewal without a tenant.
func newRenewal(o options, net network, log logger) rotate.Renewal {
	return rotate.Renewal{
		Options: rotate.Options{NewKey: o.NewKey, SelfCheck: o.SelfCheck, LockWait: o.LockWait, Days: o.Days, KeyBits: o.KeyBits},
		Network: net, Introducer: net,
		GenerateKey: func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) },
		Random:      rand.Reader, Now: time.Now, Sleep: sleep, Log: log,
	}
}

// resolve finds config.php and the tenant it, or the array's register, describes.
func resolve(ctx context.Context, o options, getenv func(string) string) (master, tenant *moodledb.Config, err error) {
	workdir, err := os.Getwd()
	if err != nil {
		workdir = "/" // only one of the places that are searched
	}
	path, err := moodledb.FindConfig(o.Config, getenv, workdir)
	if err != nil {
		return nil, nil, err
	}
	master, err = moodledb.ReadConfig(ctx, path, moodledb.ReadOptions{
		Overrides: o.Cfg, Getenv: getenv, PHP: findPHP(), Wwwroot: o.Host})
	if err != nil || o.Host == "" {
		return master, master, err
	}
	tenant, err = master.Tenant(ctx, o.Host)
	return master, tenant, err
}

func newClient(o options, log logger) (*peers.Client, error) {
	retries := o.Retries
	if retries == 0 {
		retries = -1 // the client's zero value is its default
	}
	roots, err := certificateAuthorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	return peers.New(peers.Options{Timeout: o.Timeout, Concurrency: o.Concurrency, Retries: retries,
		TLSSkipVerify: o.TLSSkipVerify, RootCAs: roots, Log: log}), nil
}

// certificateAuthorities are the system's and those of --ca-file; nil means the
// system's alone.
func certificateAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readSmall(file)
	if err != nil {
		return nil, &usageError{problem: "--ca-file: " + err.Error()}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, &usageError{problem: "--ca-file " + file + " holds no PEM certificate"}
	}
	return pool, nil
}

// findPHP is the php of the search path, "" when there is none. It helps where
// config.php computes a setting, and as the last resort for the cache.
func findPHP() string {
	path, err := exec.LookPath("php")
	if err != nil {
		return ""
	}
	return path
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
