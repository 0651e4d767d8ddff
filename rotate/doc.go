// Package rotate renews the MNet key of a Moodle tenant and proves that every peer, and the
// tenant's own web server, uses the new one.
//
// It is the use case alone: what is done, in which order, and what is undone if a step fails. The
// small interfaces Store, Locker, Network and Cache give it the tenant's tables, the network and
// Moodle's cache; it knows nothing of SQL, HTTP or flags, never prints and never exits.
//
// Two rules decide the order of all steps. Persist before publish: no key is pushed to a peer
// unless the database has it and the local web server uses it, because a peer that gets a key too
// early locks the tenant out at once. And never overwrite the only copy of a key: the pair that is
// replaced goes to the front of Moodle's history in the same transaction, so that a peer that
// missed the renewal can still fetch the new certificate under the old key (Moodle answers it fault
// 7025).
package rotate
