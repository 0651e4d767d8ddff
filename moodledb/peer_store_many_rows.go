package moodledb

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

const (
	// A statement's size is limited on both sides (max_allowed_packet, 1 MiB on old servers).
	rowsPerUpdate  = 100
	bytesPerUpdate = 512 << 10 // of certificates
	rootsPerSelect = 1000      // wwwroots, of at most 255 characters
)

// rows reads the rows to which the keys belong, and locks them: no other program deletes or changes
// one before the transaction ends. Since wwwroot has no index, other rows are locked for that time
// too.
//
// lock is " FOR UPDATE", or "" to read without a lock. All runs lock in the order of the ids, so that
// they wait for each other and do not end in a deadlock.
func (s *peerStore) rows(ctx context.Context, tx *sql.Tx, lock string) ([]peerRow, error) {
	var rows []peerRow
	for keys := range slices.Chunk(s.keys, rootsPerSelect) {
		var names, roots []any
		for _, k := range keys {
			names, roots = append(names, strings.TrimRight(k.Wwwroot, "/")), append(roots, maybeSame(k.Wwwroot))
			if k.Was != "" {
				roots = append(roots, maybeSame(k.Was))
			}
		}
		found, err := s.read(ctx, tx, "wwwroot IN ("+marks(len(names))+")", s.t.maybeWwwroot()+" IN ("+marks(len(roots))+") ORDER BY id"+lock, slices.Concat(names, roots))
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	others, err := s.t.readLocalRows(ctx, tx)
	return slices.DeleteFunc(rows, func(r peerRow) bool { return others.contains(r.id, s.keys[r.key].Wwwroot) }), err
}

// maybeWwwroot is an expression that is [maybeSame] of the wwwroot for all spellings of a site, and
// perhaps for other sites too.
func (t *Tenant) maybeWwwroot() string { return t.dialect.Folded("TRIM(TRAILING '/' FROM wwwroot)") }

func maybeSame(wwwroot string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.TrimRight(wwwroot, "/"))
}

// read reads rows to which keys belong. This code decides which those are, not the database, whose
// collation treats different wwwroots as equal: /T1 and /t1 are two sites. But the database decides
// which of the rows are named, since Moodle has it look for the host that calls (mnet/peer.php,
// set_wwwroot): the row of /T1 as well, if it is asked for /t1.
func (s *peerStore) read(ctx context.Context, tx *sql.Tx, named, condition string, args []any) ([]peerRow, error) {
	const op = "read the peers' rows"
	// The hash is enough for most: the certificate itself is fifty times as long.
	certificate := "''"
	if len(s.former) > 0 {
		certificate = "COALESCE(public_key, '')"
	}
	found, err := tx.QueryContext(ctx, s.t.sql("SELECT id, wwwroot, "+named+", COALESCE(deleted, 1) <> 0, "+s.t.dialect.Hash("public_key")+", COALESCE(public_key_expires, 0), "+certificate+
		" FROM {mnet_host} WHERE "+condition), args...)
	if err != nil {
		return nil, s.t.explain(op, err)
	}
	defer func() { _ = found.Close() }()
	var rows []peerRow
	for found.Next() {
		var row peerRow
		var wwwroot, hash string
		if err := found.Scan(&row.id, &wwwroot, &row.named, &row.deleted, &hash, &row.expires, &certificate); err != nil {
			return nil, s.t.explain(op, err)
		}
		copy(row.hash[:], hash)
		site := envelope.FoldWwwroot(wwwroot)
		var wanted bool
		if row.key, wanted = s.byWwwroot[site]; !wanted {
			row.key, row.former = s.former[site]
			wanted = row.former
			row.foreign = wanted && !s.keys[row.key].Owns(certificate)
		}
		if !wanted && row.named { // nothing is written to it
			row.key, wanted = s.alike[maybeSame(wwwroot)]
			row.another = wanted
		}
		if wanted {
			rows = append(rows, row)
		}
	}
	if err := found.Err(); err != nil {
		return nil, s.t.explain(op, err)
	}
	return rows, nil
}

// write changes the rows, many in one statement. They are locked; on tables without locks (MyISAM),
// a row that has been deleted since stays deleted.
func (s *peerStore) write(ctx context.Context, tx *sql.Tx, rows []peerRow) error {
	const op = "write the peers' rows"
	for _, row := range rows {
		if row.former {
			if err := s.t.execOne(ctx, tx, op, "UPDATE {mnet_host} SET wwwroot = ? WHERE id = ?", s.keys[row.key].Wwwroot, row.id); err != nil {
				return err
			}
		}
	}
	var update dialect.Statement
	for width := 0; len(rows) > 0; {
		n := s.fit(rows)
		if n != width {
			var err error
			if update, err = s.t.dialect.Bulk(ctx, tx, s.t.sql(updateRows(n))); err != nil {
				return s.t.explain(op, err)
			}
			width = n
		}
		var certificates, expiries, ids []any
		for _, row := range rows[:n] {
			key := s.keys[row.key]
			certificates, expiries, ids = append(certificates, row.id, key.Certificate.PEM), append(expiries, row.id, key.Certificate.NotAfter.Unix()), append(ids, row.id)
			s.written[row.id] = s.written[row.id] || row.kept == rotate.KeyStored
		}
		if _, err := update.ExecContext(ctx, slices.Concat(certificates, expiries, ids)...); err != nil {
			return s.t.explain(op, err)
		}
		rows = rows[n:]
	}
	return nil
}

// fit says how many of the rows fit into one statement.
func (s *peerStore) fit(rows []peerRow) int {
	n, size := 0, 0
	for n < len(rows) && n < rowsPerUpdate {
		size += len(s.keys[rows[n].key].Certificate.PEM)
		if n > 0 && size > bytesPerUpdate {
			break
		}
		n++
	}
	return n
}

func updateRows(n int) string {
	cases := strings.Repeat(" WHEN ? THEN ?", n)
	return "UPDATE {mnet_host} SET public_key = CASE id" + cases + " ELSE public_key END, " +
		"public_key_expires = CASE id" + cases + " ELSE public_key_expires END WHERE deleted = 0 AND id IN (" + marks(n) + ")"
}

// readBack checks whether the rows have what was stored. It does so in a transaction of its own and
// with a lock, so that a proxy in front of several servers sends it to the one that was written to.
// again: at least one has something else, or a site that has moved has a row more.
func (s *peerStore) readBack(ctx context.Context, rows []peerRow) (again bool, err error) {
	known, written := map[int64]bool{}, map[int64]*peerRow{}
	var ids []any
	for i, row := range rows {
		known[row.id] = true
		if row.write {
			ids, written[row.id] = append(ids, row.id), &rows[i]
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	err = s.t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
		now, err := s.readAgain(ctx, tx, ids)
		if err != nil {
			return err
		}
		found := 0
		again = false
		for _, row := range now {
			was := written[row.id]
			if was != nil {
				found++
			}
			switch {
			case was == nil:
				again = again || !known[row.id]
			case row.deleted:
				was.kept = rotate.RowDeleted
			case row.former || row.hash != s.hashes[row.key] || row.expires != s.keys[row.key].Certificate.NotAfter.Unix():
				again = true
			}
		}
		again = again || found != len(ids)
		return nil
	})
	return again, err
}

// readAgain reads the written rows and, if a site has moved, all rows of the sites: see
// [peerRow.isFound].
func (s *peerStore) readAgain(ctx context.Context, tx *sql.Tx, ids []any) ([]peerRow, error) {
	if len(s.former) > 0 {
		return s.rows(ctx, tx, " FOR UPDATE")
	}
	return s.read(ctx, tx, "wwwroot = ''", "id IN ("+marks(len(ids))+") ORDER BY id FOR UPDATE", ids)
}
