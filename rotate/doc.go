// Package rotate renews the MNet key of a Moodle tenant and proves that every
// peer, and the tenant's own web side, uses the new one.
//
// It is the use case alone: what is done, in which order, and what is undone
// when a step fails. The tenant's tables, the network and Moodle's cache are
// behind the small interfaces Store, Locker, Network and Cache; it knows nothing
// of SQL, HTTP or flags, never prints and never exits.
//
// Two rules order everything here. Persist before publish: no peer hears of a
// key that is not in the database and in use by the own web side, because a peer
// that is told too early locks the tenant out at once. And never overwrite the
// only copy of a key: the pair that is replaced goes to the front of Moodle's
// history in the same transaction, so that a peer that missed the renewal can
// still fetch the new certificate under the old key (Moodle answers it fault 7025).
package rotate
