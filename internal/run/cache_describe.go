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
	stores, err := c.described(ctx, site)
	if err != nil {
		return nil, err
	}
	for i := range stores {
		stores[i].Factory = muc.Factory(c.config.CacheFactory)
	}
	return stores, nil
}

// described asks Moodle itself about the stores that only it knows, where there is a php.
func (c *tenantCache) described(ctx context.Context, site string) ([]rotate.CacheStore, error) {
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
	manual := func(d rotate.CacheStore) bool { return d.State == rotate.CacheByHand }
	if err != nil || c.php == "" || !slices.ContainsFunc(all, manual) {
		return all, err
	}
	byPHP, err := muc.DescribeByPHP(ctx, c.moodle())
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
