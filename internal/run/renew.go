package run

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/killsteps"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/phprun"
	"renew_mnetkeys/peers"
	"renew_mnetkeys/rotate"
)

// errDeadline is the cause of a context that was ended by --deadline.
var errDeadline = error(&deadlineError{})

type deadlineError struct{}

func (*deadlineError) Error() string { return "the run's --deadline has passed" }

// Hint is what to do about it.
func (*deadlineError) Hint() string { return "give the run more time with --deadline" }

// StopsRun implements rotate.Stop.
func (*deadlineError) StopsRun() {}

// exitFor distinguishes errors of the configuration from errors of the database.
func exitFor(err error) int {
	var unusable *config.Error
	var unknown *moodledb.UnknownTenantError
	var dbtype *config.UnsupportedDBError
	var usage *cmdline.UsageError
	var other *rotate.OtherSiteError
	var contested *moodledb.ContestedError
	if errors.As(err, &other) || errors.As(err, &unusable) || errors.As(err, &unknown) || errors.As(err, &contested) || errors.As(err, &dbtype) || errors.As(err, &usage) {
		return rotate.ExitUsage
	}
	return rotate.ExitNotRenewed
}

// newRenewal is a renewal without a tenant.
func newRenewal(o cmdline.Options, client *peers.Client, out *output.Printer) rotate.Renewal {
	return rotate.Renewal{
		Options: o.Options,
		Network: client, Introducer: client,
		GenerateKey: func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) },
		Random:      rand.Reader, Now: time.Now, Sleep: rotate.Sleep, Log: out.Log, Waiting: out.Waiting,
		Found: hookFindings(o),
	}
}

// findConfigs finds the config.php files that the run is about.
func findConfigs(o cmdline.Options, getenv func(string) string) (config.Found, error) {
	workdir, err := os.Getwd()
	if err != nil {
		workdir = "/" // this is only one of the places that are searched
	}
	return config.FindAll(o.Config, getenv, workdir)
}

func readOptions(o cmdline.Options) config.Options {
	return config.Options{Overrides: o.Cfg, PHP: o.PHP, FindPHP: phprun.Find, DefaultSocket: defaultSockets(o.PHP), Wwwroot: o.Host}
}

// resolve finds config.php and the tenant that it, or the array's register, describes.
func resolve(ctx context.Context, o cmdline.Options, getenv func(string) string) (master, tenant *config.Config, err error) {
	found, err := findConfigs(o, getenv)
	if err != nil {
		return nil, nil, err
	}
	if n := len(found.Files); n > 1 {
		advice := "to work on all of them add --all, else name one: --config="
		if o.Host != "" {
			advice = "name the config.php of this site: --config="
		}
		return nil, nil, &cmdline.UsageError{Problem: fmt.Sprintf("--config names %d files, and without --all only one can be used", n),
			Advice: advice + fileOf(ctx, o, found.Files)}
	}
	return read(ctx, found.Files[0], readOptions(o))
}

// read reads config.php, and the register if --host is one of its tenants.
func read(ctx context.Context, file string, o config.Options) (master, tenant *config.Config, err error) {
	master, err = config.Read(ctx, file, o)
	if err != nil || o.Wwwroot == "" {
		return master, master, err
	}
	tenant, err = moodledb.FindTenant(ctx, master, o.Wwwroot)
	return master, tenant, err
}

// fileOf is the one of several config.php that has the site of --host, or PATH if that is not
// known. Without --host the first is as good as any.
func fileOf(ctx context.Context, o cmdline.Options, files []string) string {
	if o.Host == "" {
		return files[0]
	}
	options := readOptions(o)
	options.Shared = ofSeveralUsers(files)
	for _, file := range files {
		// A config.php that takes any host for its own says nothing.
		if master, _, err := read(ctx, file, options); err == nil && !master.WwwrootOfRequest() {
			return file
		}
	}
	return "PATH"
}

func newClient(o cmdline.Options, log output.Logger) (*peers.Client, error) {
	retries := o.Retries
	if retries == 0 {
		retries = -1 // the client's zero value means its default
	}
	roots, err := certificateAuthorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	return peers.New(peers.Options{Timeout: o.Timeout, Concurrency: o.Concurrency, Retries: retries,
		TLSSkipVerify: o.TLSSkipVerify, RootCAs: roots, Dial: killsteps.Peers(), Log: log}), nil
}

// certificateAuthorities are the system's and those of --ca-file; nil means the system's alone.
func certificateAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := cmdline.ReadSmall(file)
	if err != nil {
		return nil, &cmdline.UsageError{Problem: "--ca-file: " + err.Error()}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, &cmdline.UsageError{Problem: "--ca-file " + file + " has no PEM certificate"}
	}
	return pool, nil
}
