package muc

import (
	"context"
	"errors"

	"renew_mnetkeys/rotate"
)

// manualStore is a store out of reach: its memory belongs to the web server's processes, or this
// package does not speak its protocol.
type manualStore struct{ instance }

func (s manualStore) drop(context.Context, rotate.Scope) (int, error) { return 0, s.refuse() }

func (s manualStore) check(context.Context) error { return s.refuse() }

func (s manualStore) read(context.Context, []string) ([][]byte, error) {
	if s.plugin == apcu {
		return nil, rotate.ErrCacheInMemory
	}
	return nil, errors.New("it is in the memory of the web server's processes, or of a kind that is not known here")
}

func (s manualStore) refuse() error {
	return &ManualError{Store: s.name, Plugin: s.plugin, Advice: advice(s.plugin)}
}

const (
	// adviseHook is no advice to purge manually: a hook runs after what only the cache has is
	// saved.
	adviseHook = "give a --cache-hook that clears it, as docs/caches.md shows"
	// adviseReload works because the hook runs when the new key is stored: whatever the web server
	// caches then is the new key.
	adviseReload = "let a --cache-hook empty it once the new key is stored: --cache-hook='systemctl reload php8.2-fpm', with the name of your php-fpm service. The hook must reload php-fpm on every web server of the site, and only root may do that unless you allow it, as docs/caches.md shows. " +
		"Or map Moodle's cache definition core/config to a file or Redis store (Site administration, Plugins, Caching)"
	// adviseMoodle is for what only Moodle knows.
	adviseMoodle = "run it where Moodle's php is installed, so that Moodle clears its cache itself; or " + adviseHook
)

// adviceOf has the plugins that have advice of their own.
var adviceOf = map[string]string{
	apcu:        adviseReload,
	"memcached": adviseMoodle,
	"memcache":  adviseMoodle,
	"mongodb":   adviseMoodle,
	"session":   adviseMoodle,
}

func advice(plugin string) string {
	if own, known := adviceOf[plugin]; known {
		return own
	}
	return adviseMoodle + "; if the store lives in the web server's memory: --cache-hook='systemctl reload php8.2-fpm'"
}

// apcu is the plugin whose memory even Moodle's own code cannot reach from outside the web server.
const apcu = "apcu"
