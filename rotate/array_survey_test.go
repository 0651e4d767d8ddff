package rotate

import "context"

// ComparePeerKeys implements PeerRows.
func (s *fleetSite) ComparePeerKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	return s.eachRow("look", keys, func(row *fleetRow, k HostKey) StoreResult {
		if row.certificate == k.Certificate.PEM {
			return KeyStored
		}
		return KeyOther
	})
}
