package rotate

import "context"

// HeldKeys implements PeerRows.
func (s *fleetSite) HeldKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	return s.eachRow("look", keys, func(row *fleetRow, k HostKey) StoreResult {
		if row.certificate == k.Certificate.PEM {
			return KeyStored
		}
		return KeyOther
	})
}
