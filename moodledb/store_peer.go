package moodledb

import "context"

// StorePeerKey stores the certificate a peer answered, with its notAfter in unix seconds, if the peer's row still holds the
// certificate that was held when it was asked, byte by byte, and the host is not deleted. stored false: somebody else, Moodle
// most likely, has stored another one meanwhile, or the host is gone.
//
// It is a single statement, so that it is safe without transactions too.
func (t *Tenant) StorePeerKey(ctx context.Context, hostID int64, held, certificate string, expires int64) (stored bool, err error) {
	err = retry(ctx, func() error {
		// As binary strings: no collation may take two certificates for equal.
		result, err := t.db.ExecContext(ctx, t.sql("UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? "+
			"WHERE id = ? AND deleted = 0 AND CAST(public_key AS BINARY) = CAST(? AS BINARY)"), certificate, expires, hostID, held)
		if err != nil {
			return t.explain("store the peer's certificate", err)
		}
		matched, err := result.RowsAffected()
		stored = matched == 1
		return err
	})
	return stored, err
}
