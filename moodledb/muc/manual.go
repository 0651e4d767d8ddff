package muc

import (
	"context"
	"errors"
)

// manualStore is a store out of reach: its memory belongs to the web server's processes, or its protocol is not spoken here.
type manualStore struct{ instance }

func (s manualStore) drop(context.Context, Width) (int, error) { return 0, s.refuse() }

func (s manualStore) check(context.Context) error { return s.refuse() }

func (s manualStore) read(context.Context, []string) ([][]byte, error) {
	return nil, errors.New("it is in the memory of the web server's processes, or of a kind that is not known here")
}

func (s manualStore) refuse() error {
	return &ManualError{Store: s.name, Plugin: s.plugin, Advice: advice(s.plugin)}
}

const (
	advisePurge   = "as the web server's user run: php admin/cli/purge_caches.php"
	adviseRestart = "restart php-fpm or the web server on every web node"
)

func advice(plugin string) string {
	switch plugin {
	case "apcu":
		return adviseRestart + ": APCu lives in their memory, no command line reaches it"
	case "memcached", "memcache", "mongodb", "session":
		return advisePurge
	}
	return advisePurge + "; if the store lives in the web server's memory, also " + adviseRestart
}
