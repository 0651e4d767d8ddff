package muc

import (
	"context"
	"time"

	"renew_mnetkeys/rotate"
)

// store is one cache store instance that may serve core/config.
type store interface {
	describe() storeReport                                                 // name, plugin and place
	drop(ctx context.Context, scope rotate.Scope) (removed int, err error) // idempotent: a missing entry is no error
	check(ctx context.Context) error                                       // whether drop would be allowed, without changing anything
	read(ctx context.Context, names []string) ([][]byte, error)            // the entries that exist, as they are stored
}

// plugins has the function that makes a store of an instance, by the name of the plugin in Moodle.
// A file adds the plugin that it is about. A plugin that is not here is left to Moodle's own code.
var plugins = map[string]func(instance, environment) store{}

// environment is what a store may need besides the settings of its instance.
type environment struct {
	location
	file    string        // the configuration of the cache, to name in advice
	names   []string      // of the entries of a renewal; none if they cannot be computed
	timeout time.Duration // to connect to a server, and for each of its answers
}

// open makes a store of the instance.
func (i instance) open(env environment) store {
	if plugin, known := plugins[i.plugin]; known {
		return plugin(i, env)
	}
	return manualStore{i}
}
