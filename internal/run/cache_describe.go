package run

import (
	"context"
	"errors"
	"slices"

	"renew_mnetkeys/moodledb/muc"
	"renew_mnetkeys/rotate"
)

// Describe implements rotate.CacheDescriber.
func (c *tenantCache) Describe(ctx context.Context, site string) ([]rotate.CacheStore, error) {
	described, err := c.described(ctx, site)
	if err != nil {
		return nil, err
	}
	stores := make([]rotate.CacheStore, len(described))
	for i, d := range described {
		stores[i] = rotate.CacheStore{Name: d.Store, Plugin: d.Plugin, Place: d.Place, Factory: muc.Factory(c.config.CacheFactory), Fallback: d.Fallback,
			State: rotate.CacheState(d.State), Problem: d.Problem, Advice: d.Advice}
	}
	return stores, nil
}

// described asks Moodle itself about the stores that only it knows, where there is a php.
func (c *tenantCache) described(ctx context.Context, site string) ([]muc.Description, error) {
	cache, err := c.open(site)
	if moodles, _ := split(err); moodles != nil && c.php != "" {
		all, phpErr := muc.DescribeByPHP(ctx, c.moodle())
		if phpErr != nil {
			return nil, errors.Join(phpErr, err)
		}
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := cache.Describe(ctx)
	manual := func(d muc.Description) bool { return d.State == muc.ByHand }
	if err != nil || c.php == "" || !slices.ContainsFunc(all, manual) {
		return all, err
	}
	byPHP, err := muc.DescribeByPHP(ctx, c.moodle())
	if err != nil {
		c.log.Debug().Err(err).Msg("cache stores not found by php")
		return all, ctx.Err()
	}
	for i, d := range all {
		if n := slices.IndexFunc(byPHP, func(p muc.Description) bool { return p.Store == d.Store }); n >= 0 && manual(d) {
			all[i] = byPHP[n]
		}
	}
	return all, nil
}
