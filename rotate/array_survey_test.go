package rotate

import (
	"context"

	"renew_mnetkeys/envelope"
)

// ComparePeerKeys implements PeerRows.
func (s *fleetSite) ComparePeerKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	return s.eachRow("look", keys, func(row *fleetRow, k HostKey) StoreResult {
		if row.certificate == k.Certificate.PEM {
			return KeyStored
		}
		switch c, err := envelope.ParseCertificate(row.certificate); {
		case err != nil:
			return KeyNone
		case k.IsNewer(c):
			return KeyNewer
		}
		return KeyOther
	})
}
