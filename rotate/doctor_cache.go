package rotate

import "context"

func (d *diagnosis) cacheStores(ctx context.Context) {
	describer, ok := d.Cache.(CacheDescriber)
	if !ok {
		return
	}
	stores, err := describer.Describe(ctx, d.tenant.SiteIdentifier)
	if err != nil {
		d.find(SeverityError, "cache_unknown", d.tenant.Wwwroot, adviceOf(err, "run as the user of the web server, on its machine"),
			"it is not known which cache stores have the key pair", "%v", err)
		return
	}
	for _, s := range stores {
		switch s.State {
		case CacheReady:
			d.find(SeverityInfo, "cache_store", s.Name, "nothing to do: it can be cleared from here", "a store that can be cleared caches core/config", "%s", s.where())
		case CacheHooked:
			d.find(SeverityInfo, "cache_store", s.Name, "nothing to do: the --cache-hook clears it", "the --cache-hook clears the store that caches core/config", "%s", s.where())
		case CacheManual:
			d.find(SeverityWarning, "cache_by_hand", s.Name, s.Advice, "core/config is cached in a store that only you can clear", "%s: %s", s.where(), s.Problem)
		default:
			d.find(SeverityError, "cache_"+string(s.State), s.Name, s.Advice, cacheWords[s.State], "%s: %s", s.where(), s.Problem)
		}
	}
}

// cacheWords say why a store cannot be cleared.
var cacheWords = map[CacheState]string{
	CacheUnreachable: "core/config is cached on a server that does not answer",
	CacheNotWritable: "core/config is cached in files that this user cannot write",
	CacheNotMounted:  "core/config is cached in a directory that is not on this machine",
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
		where += ", used only while no other store is ready"
	}
	return where
}
