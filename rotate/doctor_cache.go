package rotate

import "context"

func (d *diagnosis) cacheStores(ctx context.Context) {
	describer, ok := d.Cache.(CacheDescriber)
	if !ok {
		return
	}
	stores, err := describer.Describe(ctx, d.tenant.SiteIdentifier)
	if err != nil {
		d.find(SeverityError, "cache_unknown", d.tenant.Wwwroot, adviceOf(err, "run as the web server's user, where its files are"),
			"which cache stores hold the key pair cannot be told: %v", err)
		return
	}
	for _, s := range stores {
		switch s.State {
		case CacheReady:
			d.find(SeverityInfo, "cache_store", s.Name, "nothing to do: it can be cleared from here", "core/config is cached by %s", s.where())
		case CacheByHand:
			d.find(SeverityWarning, "cache_by_hand", s.Name, s.Advice, "core/config is cached by %s: %s", s.where(), s.Problem)
		default:
			d.find(SeverityError, "cache_"+string(s.State), s.Name, s.Advice, "core/config is cached by %s: %s", s.where(), s.Problem)
		}
	}
}

func (s CacheStore) where() string {
	where := s.Plugin
	if s.Place != "" {
		where += " at " + s.Place
	}
	if s.Factory != "" {
		where += ", chosen by the cache factory " + s.Factory
	}
	if s.Fallback {
		where += ", while no other store is ready"
	}
	return where
}
