package muc

import (
	"context"
	"errors"
)

// State is what a store lets be done about an entry.
type State string

// The states of a store.
const (
	Ready       State = "ready"        // entries can be dropped from here
	ByHand      State = "by_hand"      // out of reach: the web server's memory, or a plugin this package does not know
	Unreachable State = "unreachable"  // its server does not answer, or refuses
	NotWritable State = "not_writable" // its files belong to somebody else
	NotMounted  State = "not_mounted"  // its directory is not on this machine
)

// Description is a store that serves core/config, told without touching an entry.
type Description struct {
	Store    string // name of the instance, like default_application
	Plugin   string // file, redis, apcu, …
	Place    string // directory, or servers separated by commas; never a password
	Fallback bool   // not mapped: Moodle uses it while no mapped store is ready
	State    State
	Problem  string // one line, "" when the state is Ready
	Advice   string // what to do about it, "" when the state is Ready
}

// Describe tells which stores serve core/config and whether each can be cleared from here, the lowest first, as Check finds it. It changes nothing. The error
// is the context's alone: what is wrong with a store stands in its description.
func (c *Cache) Describe(ctx context.Context) ([]Description, error) {
	report, _ := c.Check(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return report.descriptions(), nil
}

func (report Report) descriptions() []Description {
	all := make([]Description, len(report.Stores))
	for i, s := range report.Stores {
		all[i] = Description{Store: s.Store, Plugin: s.Plugin, Place: s.Place, Fallback: s.Fallback, State: Ready}
		if s.Err != nil {
			all[i].State, all[i].Problem, all[i].Advice = stateOf(s.Err), s.Err.Error(), adviceFor(s.Err)
		}
	}
	return all
}

func stateOf(err error) State {
	var manual *ManualError
	var permission *PermissionError
	var missing *MissingDirectoryError
	switch {
	case errors.As(err, &manual):
		return ByHand
	case errors.As(err, &permission):
		return NotWritable
	case errors.As(err, &missing):
		return NotMounted
	}
	return Unreachable
}

func adviceFor(err error) string {
	var known interface{ Hint() string }
	if errors.As(err, &known) {
		return known.Hint()
	}
	return adviseHook
}
