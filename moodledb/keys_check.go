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

// LostPairError is a change of the key that would remove a retired pair from everywhere: a peer
// that still uses it could never heal.
type LostPairError struct {
	Lost int // number of pairs
	Kept int // length of the new history
}

func (e *LostPairError) Error() string {
	return fmt.Sprintf("the new key history has %d pairs, and %d that are stored now would be lost", e.Kept, e.Lost)
}

// mayBecome refuses to rewrite the wwwroot of a local host row, except in another spelling of the
// same site.
func mayBecome(row, wwwroot string) error {
	if row == "" || envelope.SameWwwroot(row, wwwroot) {
		return nil
	}
	return &rotate.OtherSiteError{Row: row, Wwwroot: wwwroot}
}

// localRowName is the wwwroot of the local host row afterwards: its own spelling, by which peers
// know the site, without a slash at the end.
func localRowName(row, wwwroot string) string {
	return cmp.Or(strings.TrimRight(row, "/"), wwwroot)
}

// checkChange refuses a change that would lose a key. It is the last check that can.
func checkChange(read *rotate.Tenant, next rotate.Keys) error {
	switch {
	case read == nil || read.Wwwroot == "" || next.Expires <= 0 || next.Certificate == "":
		return errors.New("incomplete change of the key")
	case read.Own == nil:
		return rotate.ErrNoLocalRow
	}
	if next.Stored != read.Pair && read.Pair.PrivateKey != "" && !keeps(next, read.Pair) {
		return errors.New("the pair that is replaced is not in the new history")
	}
	return checkHistory(read.History, next)
}

// checkHistory refuses to lose a retired pair. Only the oldest pairs of a full history may go.
// Moodle reads the whole history, however long it is (mnet/xmlrpc/serverlib.php,
// mnet/environment.php), so only the size is a reason not to keep them.
func checkHistory(history []rotate.Retired, next rotate.Keys) error {
	lost, younger := 0, false        // younger: than one that is kept
	seen := map[rotate.Stored]bool{} // a pair that occurs twice counts by its newer place
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

// keeps says whether a pair still exists after the change: as the current pair, for example after a
// rollback, or as a retired one.
func keeps(next rotate.Keys, pair rotate.Stored) bool {
	return next.Stored == pair || slices.ContainsFunc(next.History, func(h rotate.Retired) bool { return h.Stored == pair })
}
