package muc

import (
	"context"
	"errors"

	"renew_mnetkeys/rotate"
)

// Describe tells which stores serve core/config and whether each can be cleared from here, the lowest first, as Check finds it. It changes nothing. The error
// is the context's alone: what is wrong with a store stands in its description.
func (c *Cache) Describe(ctx context.Context) ([]rotate.CacheStore, error) {
	report, _ := c.Check(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return report.descriptions(), nil
}

func (report Report) descriptions() []rotate.CacheStore {
	all := make([]rotate.CacheStore, len(report.Stores))
	for i, s := range report.Stores {
		all[i] = rotate.CacheStore{Name: s.Store, Plugin: s.Plugin, Place: s.Place, Fallback: s.Fallback, State: rotate.CacheReady}
		if s.Err != nil {
			all[i].State, all[i].Problem, all[i].Advice = stateOf(s.Err), s.Err.Error(), adviceFor(s.Err)
		}
	}
	return all
}

func stateOf(err error) rotate.CacheState {
	var manual *ManualError
	var permission *PermissionError
	var missing *MissingDirectoryError
	switch {
	case errors.As(err, &manual):
		return rotate.CacheByHand
	case errors.As(err, &permission):
		return rotate.CacheNotWritable
	case errors.As(err, &missing):
		return rotate.CacheNotMounted
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
