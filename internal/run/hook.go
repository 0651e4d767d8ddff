package run

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/hooks"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/moodledb/config"
	"renew_mnetkeys/moodledb/siteuser"
	"renew_mnetkeys/rotate"
)

// checkHooks finds faults of hooks before anything is done. A command that runs none may find them
// itself.
func checkHooks(o cmdline.Options) error {
	broken := brokenHooks(o)
	if len(broken) == 0 || !o.Command.Row().Changes {
		return nil
	}
	return broken[0]
}

// brokenHooks are the errors of the hooks that cannot be run.
func brokenHooks(o cmdline.Options) (broken []error) {
	for _, hook := range [][2]string{{"pre-hook", o.PreHook}, {"cache-hook", o.CacheHook}, {"post-hook", o.PostHook}} {
		name, line := hook[0], hook[1]
		if line == "" {
			continue
		}
		hook := hooks.Command(line)
		if err := hook.Check(); err != nil {
			broken = append(broken, &cmdline.UsageError{Problem: "--" + name + ": " + err.Error()})
		} else if path := hook.Path(); os.Geteuid() == 0 && path != "" && !siteuser.RootsAlone(path) {
			broken = append(broken, &cmdline.UsageError{Problem: "--" + name + ": root does not run " + hook.Place() + ", which another user can change",
				Advice: "run as the web server's user, or let the file and every directory above it belong to root, without the right to write for others"})
		}
	}
	return broken
}

// hookFindings are those of a diagnosis about hooks.
func hookFindings(o cmdline.Options) (found []rotate.Finding) {
	if o.Command.Row().Changes {
		return nil
	}
	for _, err := range brokenHooks(o) {
		finding := rotate.Finding{Severity: rotate.SeverityError, Code: "hook", Message: "a hook cannot be run, so each renewal ends with exit code 2",
			Detail: o.Located(err).Error(), Next: cmp.Or(rotate.HintOf(err), "correct the hook, or leave it out")}
		if rotate.HintOf(err) != "" { // another user may run it
			finding.Severity, finding.Message = rotate.SeverityWarning, "root does not run a hook, so a renewal as root ends with exit code 2"
		}
		found = append(found, finding)
	}
	return found
}

// hookError is a hook that failed.
type hookError struct {
	name string
	err  error
}

func (e *hookError) Error() string { return "the " + e.name + " failed: " + e.err.Error() }
func (e *hookError) Unwrap() error { return e.err }

// hookRunner runs the hooks of one run.
type hookRunner struct {
	out    *output.Printer
	cache  *cacheHookRecord // nil if the built-in purge is used
	clears func() bool      // whether the cache-hook can be run, which is found out once
}

func newHookRunner(out *output.Printer) *hookRunner {
	h := &hookRunner{out: out}
	h.clears = sync.OnceValue(func() bool { return hooks.Command(out.Options.CacheHook).Check() == nil })
	if out.Options.CacheHook != "" && out.Options.Writes() {
		h.cache = &cacheHookRecord{}
	}
	return h
}

// run runs one hook, with a JSON document on its stdin, and logs its output. The hook's input
// contains no key.
func (h *hookRunner) run(ctx context.Context, name, line string, input any, env ...string) error {
	text, err := json.Marshal(input)
	if err != nil {
		return &hookError{name, err}
	}
	env = append(env, "MNET_HOOK="+name, "MNET_COMMAND="+string(h.out.Options.Command))
	started := time.Now()
	said, err := hooks.Command(line).Run(ctx, append(text, '\n'), env, hooks.Limits{})
	h.out.Log.Debug().Str("hook", name).Stringer("took", took(started)).AnErr("error", err).Msg("a hook has ended")
	event := h.out.Log.Debug()
	if err != nil {
		event = h.out.Log.Error()
	}
	if said != "" {
		event.Str("hook", name).Str("output", said).Msg("a hook said")
	}
	if err != nil {
		return &hookError{name, err}
	}
	return nil
}

// pre runs before anything is done, and prevents the run by failing.
func (h *hookRunner) pre(ctx context.Context) error {
	o := h.out.Options
	if o.PreHook == "" || !o.Writes() {
		return nil
	}
	err := h.run(ctx, "pre-hook", o.PreHook, h.out.Document(0, []rotate.TenantReport{}), "MNET_WWWROOT="+o.Host)
	switch {
	case err != nil && ctx.Err() != nil: // which ended the hook
		return fmt.Errorf("nothing was done: %w while the pre-hook ran", context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("nothing was done: %w", err)
	}
	return nil
}

// postHook receives the result of the run.
type postHook struct {
	runner   *hookRunner
	reports  []rotate.TenantReport
	unproven int // peers, of all tenants
}

// Add implements a sink of package output. For an array the peers are left out: there are N² of
// them.
func (h *postHook) Add(r rotate.TenantReport) {
	h.unproven += r.Unproven()
	if h.runner.out.Options.All {
		r.Peers = []rotate.PeerReport{}
	}
	h.reports = append(h.reports, h.runner.out.Completed(r))
}

// Finish implements a sink of package output.
func (h *postHook) Finish(code int) error {
	reports := h.reports
	if reports == nil {
		reports = []rotate.TenantReport{}
	}
	env := []string{"MNET_EXIT_CODE=" + strconv.Itoa(code), "MNET_TENANTS=" + strconv.Itoa(len(reports)), "MNET_PEERS_UNPROVEN=" + strconv.Itoa(h.unproven)}
	if len(reports) == 1 {
		r := reports[0]
		env = append(env, "MNET_WWWROOT="+r.Wwwroot, "MNET_OUTCOME="+string(r.Outcome), "MNET_SELF_CHECK="+string(r.SelfCheck))
	}
	// If a signal ended the run, the hook must still be run.
	return h.runner.run(context.Background(), "post-hook", h.runner.out.Options.PostHook, h.runner.out.Document(code, reports), env...)
}

// hookCache is a cache whose entries are dropped by a hook.
type hookCache struct {
	hooks   *hookRunner
	wwwroot string
	config  string       // path of config.php
	own     rotate.Cache // its contents can be read, whatever drops them
}

var (
	_ rotate.HookedCache    = hookCache{}
	_ rotate.CacheDescriber = hookCache{}
)

// Hooked implements rotate.HookedCache.
func (hookCache) Hooked() bool { return true }

// cacheOf is the cache that drops a tenant's entries: own, or that of the hook.
func (h *hookRunner) cacheOf(own rotate.Cache, tenant *config.Config) rotate.Cache {
	if h.out.Options.CacheHook == "" {
		return own
	}
	return hookCache{h, tenant.Wwwroot, tenant.File, own}
}

// Cached implements rotate.Cache.
func (c hookCache) Cached(ctx context.Context, site string, withPHP bool) ([]rotate.Retired, error) {
	return c.own.Cached(ctx, site, withPHP)
}

// Check implements rotate.Cache: it was checked before that the program exists.
func (hookCache) Check(context.Context, string) error { return nil }

// Describe implements rotate.CacheDescriber.
func (c hookCache) Describe(ctx context.Context, site string) ([]rotate.CacheStore, error) {
	own, ok := c.own.(rotate.CacheDescriber)
	if !ok {
		return nil, nil
	}
	stores, err := own.Describe(ctx, site)
	if !c.hooks.clears() {
		return stores, err
	}
	for i := range stores {
		stores[i].State, stores[i].Problem, stores[i].Advice = rotate.CacheHooked, "", ""
	}
	return stores, err
}

// Drop implements rotate.Cache.
func (c hookCache) Drop(ctx context.Context, _ string, scope rotate.Scope) error {
	err := c.hooks.run(ctx, "cache-hook", c.hooks.out.Options.CacheHook, map[string]string{"wwwroot": c.wwwroot, "drop": scope.String()},
		"MNET_WWWROOT="+c.wwwroot, "MNET_CONFIG="+c.config, "MNET_DROP="+scope.String())
	c.hooks.cache.ran(c.wwwroot, err)
	return err
}

// cacheHookRecord records for which tenants the cache-hook failed at its last run. A tenant may be
// proven all the same: the hook is broken, and the next key will remain unused because of it.
type cacheHookRecord struct {
	mu     sync.Mutex
	failed map[string]error // by wwwroot
	first  error
	others int
}

func (h *cacheHookRecord) ran(wwwroot string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.failed = map[string]error{}
	}
	h.failed[wwwroot] = err
}

// Add implements a sink of package output. The report of a tenant that failed has this error
// already.
func (h *cacheHookRecord) Add(r rotate.TenantReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch err := h.failed[r.Wwwroot]; {
	case err == nil || r.Err != nil:
	case h.first == nil:
		h.first = fmt.Errorf("%w, but %s uses the stored key", err, r.Wwwroot)
	default:
		h.others++
	}
}

// Finish implements a sink of package output.
func (h *cacheHookRecord) Finish(int) error {
	switch {
	case h.first == nil:
		return nil
	case h.others > 0:
		return &brokenHookError{fmt.Errorf("%w; it also failed for other tenants: %d", h.first, h.others)}
	}
	return &brokenHookError{h.first}
}

// brokenHookError is a cache-hook that failed although the local site uses the stored key.
type brokenHookError struct{ error }

func (e *brokenHookError) Unwrap() error { return e.error }

// Hint is what to do about it.
func (*brokenHookError) Hint() string {
	return "correct the hook before the next renewal, which will need it"
}
