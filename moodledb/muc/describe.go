package muc

import (
	"context"
	"errors"
	"slices"

	"renew_mnetkeys/rotate"
)

// Describe implements rotate.CacheDescriber.
func (c *Cache) Describe(ctx context.Context, site string) ([]rotate.CacheStore, error) {
	stores, err := c.described(ctx, site)
	if err != nil {
		return nil, err
	}
	for i := range stores {
		stores[i].Factory = factoryOf(c.config.CacheFactory)
	}
	return stores, nil
}

// described asks Moodle itself about the stores that only it knows, if there is a php.
func (c *Cache) described(ctx context.Context, site string) ([]rotate.CacheStore, error) {
	own, err := c.open(site)
	if moodles, _ := split(err); moodles != nil && c.php != "" {
		all, phpErr := c.moodle().describe(ctx)
		if phpErr != nil {
			return nil, errors.Join(phpErr, err)
		}
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := own.describe(ctx)
	manual := func(d rotate.CacheStore) bool { return d.State == rotate.CacheManual }
	if err != nil || c.php == "" || !slices.ContainsFunc(all, manual) {
		return all, err
	}
	byPHP, err := c.moodle().describe(ctx)
	if err != nil {
		c.log.Debug().Err(err).Msg("cache stores not found by php")
		return all, ctx.Err()
	}
	for i, d := range all {
		if n := slices.IndexFunc(byPHP, func(p rotate.CacheStore) bool { return p.Name == d.Name }); n >= 0 && manual(d) {
			all[i] = byPHP[n]
		}
	}
	return all, nil
}

// describe says which stores serve core/config and whether each can be cleared from here, the
// lowest first, as check finds it. It changes nothing. The error is only the context's: a problem
// with a store is in its description.
func (c *builtin) describe(ctx context.Context) ([]rotate.CacheStore, error) {
	report, _ := c.check(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return report.descriptions(), nil
}

func (report result) descriptions() []rotate.CacheStore {
	all := make([]rotate.CacheStore, len(report.Stores))
	for i, s := range report.Stores {
		all[i] = rotate.CacheStore{Name: s.Store, Plugin: s.Plugin, Place: s.Place, Fallback: s.Fallback, State: rotate.CacheReady}
		if s.Err != nil {
			all[i].State, all[i].Problem, all[i].Advice = stateOf(s.Err), s.Err.Error(), adviceFor(s.Err)
		}
	}
	return all
}

// stateOf is what the error says of its store. An error that says nothing is of a server.
func stateOf(err error) rotate.CacheState {
	var known interface{ state() rotate.CacheState }
	if errors.As(err, &known) {
		return known.state()
	}
	return rotate.CacheUnreachable
}

func adviceFor(err error) string {
	var known interface{ Hint() string }
	if errors.As(err, &known) {
		return known.Hint()
	}
	return adviseHook
}
