package rotate

import "context"

// CacheDescriber is a Cache that knows its stores.
type CacheDescriber interface {
	// Describe tells which stores serve the cached configuration, and changes
	// nothing. Its error says that they cannot be told.
	Describe(ctx context.Context, site string) ([]CacheStore, error)
}

// CacheStore is a store of Moodle's cache that may hold the key pair.
type CacheStore struct {
	Name     string
	Plugin   string // file, redis, apcu, …
	Place    string // directory or servers, "" where it has none; never a password
	Factory  string // class that chose it, "" for Moodle's own
	Fallback bool   // used while no mapped store is ready
	State    CacheState
	Problem  string // one line, "" when ready
	Advice   string // "" when ready
}

// CacheState is whether a store can be cleared from here.
type CacheState string

// The states of a store.
const (
	CacheReady       CacheState = "ready"
	CacheByHand      CacheState = "by_hand"      // in the web server's memory, or of an unknown plugin
	CacheUnreachable CacheState = "unreachable"  // its server does not answer, or refuses
	CacheNotWritable CacheState = "not_writable" // its files are somebody else's
	CacheNotMounted  CacheState = "not_mounted"  // its directory is not on this machine
)

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
