package rotate

import "context"

// Look implements Mesh.
func (s *fleetSite) Look(_ context.Context, keys []HostKey) ([]Held, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.event("look %s", s.tenant.Wwwroot)
	if err := s.fault("look"); err != nil {
		return nil, err
	}
	held := make([]Held, len(keys))
	for i, k := range keys {
		row := s.rows[k.Wwwroot]
		switch {
		case row == nil:
			held[i] = HeldUnknown
		case row.deleted:
			held[i] = HeldDeleted
		case row.certificate == k.Certificate.PEM:
			held[i] = HeldStored
		default:
			held[i] = HeldOther
		}
	}
	return held, nil
}
