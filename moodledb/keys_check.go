package moodledb

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/rotate"
)

// LostPairError is a change of the key after which a retired pair would be nowhere: a peer that
// still uses it could never heal.
type LostPairError struct {
	Lost int // how many pairs
	Kept int // how long the new history would be
}

func (e *LostPairError) Error() string {
	return fmt.Sprintf("the new key history has %d pairs, and %d that are stored now would be lost", e.Kept, e.Lost)
}

// mayBecome tells whether a local host row with the wwwroot row may get another spelling of it.
func mayBecome(row, wwwroot string) error {
	if row == "" || envelope.SameWwwroot(row, wwwroot) {
		return nil
	}
	return &rotate.OtherSiteError{Row: row, Wwwroot: wwwroot}
}

// localRowName is what the local host row says afterwards: its own spelling, by which peers know
// the site, without a slash at the end.
func localRowName(row, wwwroot string) string {
	return cmp.Or(strings.TrimRight(row, "/"), wwwroot)
}

// checkChange refuses a change that would lose a key. It is the last place that can.
func checkChange(read *rotate.Tenant, next rotate.Keys) error {
	switch {
	case read == nil || read.Wwwroot == "" || next.Expires <= 0 || next.Certificate == "":
		return errors.New("incomplete change of the key")
	case read.Own == nil:
		return rotate.ErrNoOwnHost
	}
	if next.Stored != read.Pair && read.Pair.PrivateKey != "" && !keeps(next, read.Pair) {
		return errors.New("the pair that is replaced is not in the new history")
	}
	return checkHistory(read.History, next)
}

// checkHistory refuses to lose a retired pair. Of a history that is full the oldest may go, and
// only they. Moodle reads the whole history, however long it is (mnet/xmlrpc/serverlib.php,
// mnet/environment.php), so nothing but its size speaks against keeping them.
func checkHistory(history []rotate.Retired, next rotate.Keys) error {
	lost, younger := 0, false        // younger: than one that is kept
	seen := map[rotate.Stored]bool{} // what stands there twice is old by its newer place
	for _, r := range history {
		switch kept := keeps(next, r.Stored); {
		case seen[r.Stored]:
		case kept && lost > 0:
			younger = true
		case !kept:
			lost++
		}
		seen[r.Stored] = true
	}
	if lost == 0 || len(next.History) >= rotate.MaxHistory && !younger {
		return nil
	}
	return &LostPairError{Lost: lost, Kept: len(next.History)}
}

// keeps tells whether a pair is there after the change: current, which one that is rolled back to
// becomes, or retired.
func keeps(next rotate.Keys, pair rotate.Stored) bool {
	return next.Stored == pair || slices.ContainsFunc(next.History, func(h rotate.Retired) bool { return h.Stored == pair })
}
