package moodledb

import (
	"context"
	"database/sql"
	"errors"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/moodledb/dialect"
	"renew_mnetkeys/rotate"
)

// StorePeer implements rotate.Store: it stores a certificate of peer p, if the peer's row still has
// the one that p was read with, byte by byte, and the host is not deleted. stored says that the row
// has the certificate and its expiry afterwards, whoever wrote them: Moodle, healing at the same
// call, or another run may have been faster. false: it has something else, or the host does not
// exist any more.
func (t *Tenant) StorePeer(ctx context.Context, p rotate.Peer, c *envelope.Certificate) (stored bool, err error) {
	return t.storePeerKey(ctx, p.ID, p.Certificate, c.PEM, c.NotAfter.Unix())
}

func (t *Tenant) storePeerKey(ctx context.Context, hostID int64, held, certificate string, expires int64) (stored bool, err error) {
	err = retry(ctx, func() error {
		stored, err = t.swapPeerKey(ctx, hostID, held, certificate, expires)
		return err
	})
	if stored || err != nil && isAnswer(err) || ctx.Err() != nil {
		return stored, err
	}
	// Nothing matched, or the answer was lost.
	again := retry(ctx, func() (err error) {
		stored, err = t.holdsPeerKey(ctx, hostID, certificate, expires)
		return err
	})
	if stored || again == nil && err == nil {
		return stored, nil
	}
	return false, errors.Join(err, again)
}

// swapPeerKey is a single statement, so that it is safe without transactions too.
func (t *Tenant) swapPeerKey(ctx context.Context, hostID int64, held, certificate string, expires int64) (bool, error) {
	matched, err := t.dialect.Alone(ctx, t.db, t.sql("UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? "+
		"WHERE id = ? AND deleted = 0 AND "+t.dialect.Same("public_key")), certificate, expires, hostID, held)
	if err != nil {
		return false, t.explain("store the peer's certificate", err)
	}
	return matched == 1, nil
}

// holdsPeerKey says whether the row has the certificate, and corrects its expiry, which a Moodle
// that healed leaves unchanged.
func (t *Tenant) holdsPeerKey(ctx context.Context, hostID int64, certificate string, expires int64) (holds bool, err error) {
	err = t.transaction(ctx, dialect.Write, func(tx *sql.Tx) error {
		const op = "read the peer's row again"
		var now string
		var until int64
		err := tx.QueryRowContext(ctx, t.sql("SELECT public_key, COALESCE(public_key_expires, 0) FROM {mnet_host} WHERE id = ? AND deleted = 0 FOR UPDATE"), hostID).
			Scan(&now, &until)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return t.explain(op, err)
		case now != certificate:
			return nil
		case until != expires:
			err = t.execOne(ctx, tx, "correct the expiry of the peer's certificate", "UPDATE {mnet_host} SET public_key_expires = ? WHERE id = ?", expires, hostID)
		}
		holds = err == nil
		return err
	})
	return holds && err == nil, err
}
