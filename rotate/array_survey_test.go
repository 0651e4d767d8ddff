package rotate

import "context"

// Look implements PeerRows.
func (s *fleetSite) HeldKeys(_ context.Context, keys []HostKey) ([]StoreResult, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("look %s", s.tenant.Wwwroot)
	if err := s.fault("look"); err != nil {
		return nil, err
	}
	held := make([]StoreResult, len(keys))
	for i, k := range keys {
		row := s.rows[k.Wwwroot]
		switch {
		case row == nil:
			held[i] = NoRow
		case row.deleted:
			held[i] = RowDeleted
		case row.certificate == k.Certificate.PEM:
			held[i] = KeyStored
		default:
			held[i] = KeyOther
		}
	}
	return held, nil
}
