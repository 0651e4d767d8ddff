package peertest

import (
	"context"
	"sync"

	"renew_mnetkeys/envelope"
)

// Store is where a site keeps its keys and host rows. It must be safe for concurrent use.
type Store interface {
	// Keys are the pairs that the site's web server uses: the current one, and the retired ones,
	// newest first.
	Keys(ctx context.Context) (current *envelope.KeyPair, history []*envelope.KeyPair, err error)
	// Held is the certificate of a host's row, the site's local host row included; known is false
	// if there is no row.
	Held(ctx context.Context, wwwroot string) (certificate string, known bool, err error)
	// Hold writes the certificate of a host's row.
	Hold(ctx context.Context, wwwroot, certificate string) error
}

// Publisher is a Store whose local host row may differ from the pair that its web server uses, as
// happens while a cache is stale: a keyswap is answered with Published, everything else with Keys.
type Publisher interface {
	Published(ctx context.Context) (certificate string, err error)
}

// Namer is a Store whose local host row may have another wwwroot than the site is configured with,
// as after the site has moved: Moodle names itself by that row (mnet/lib.php).
type Namer interface {
	Named(ctx context.Context) (wwwroot string, err error)
}

// named is the wwwroot by which the site names itself.
func (s *Site) named(ctx context.Context) (string, error) {
	if namer, ok := s.o.Store.(Namer); ok {
		return namer.Named(ctx)
	}
	return s.o.Wwwroot, nil
}

// Renewer is a Store that Site.Renew works with.
type Renewer interface {
	Renew(ctx context.Context, next *envelope.KeyPair, archive bool) error
}

// Memory is a Store in memory. It keeps three retired pairs, as Moodle does.
type Memory struct {
	mu      sync.Mutex
	current *envelope.KeyPair
	history []*envelope.KeyPair
	rows    map[string]string
}

var (
	_ Store   = (*Memory)(nil)
	_ Renewer = (*Memory)(nil)
)

// NewMemory makes a store with a current pair and retired ones, newest first.
func NewMemory(current *envelope.KeyPair, history ...*envelope.KeyPair) *Memory {
	return &Memory{current: current, history: history, rows: map[string]string{}}
}

// Keys implements Store.
func (m *Memory) Keys(context.Context) (*envelope.KeyPair, []*envelope.KeyPair, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current, m.history, nil
}

// Held implements Store; the local host row has the current certificate.
func (m *Memory) Held(_ context.Context, wwwroot string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if certificate, known := m.rows[wwwroot]; known {
		return certificate, true, nil
	}
	if m.current.Certificate.CheckWwwroot(wwwroot) == nil {
		return m.current.Certificate.PEM, true, nil
	}
	return "", false, nil
}

// Hold implements Store.
func (m *Memory) Hold(_ context.Context, wwwroot, certificate string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[wwwroot] = certificate
	return nil
}

// Rename gives the row of a host another wwwroot, as the site's administrator does when that host
// has moved. The store must be a *Memory.
func (s *Site) Rename(from, to string) {
	m := s.o.Store.(*Memory)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[to] = m.rows[from]
	delete(m.rows, from)
}

// generations is Moodle's default of openssl_generations.
const generations = 3

// Renew implements Renewer.
func (m *Memory) Renew(_ context.Context, next *envelope.KeyPair, archive bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if archive {
		history := append([]*envelope.KeyPair{m.current}, m.history...)
		m.history = history[:min(len(history), generations)]
	}
	m.current = next
	return nil
}

// Restore puts back what a backup contains, which is only pairs. The store must be a *Memory.
func (s *Site) Restore(current *envelope.KeyPair, history ...*envelope.KeyPair) {
	m := s.o.Store.(*Memory)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current, m.history = current, history
}

// hold writes a host's certificate, and remembers the previous one.
func (s *Site) hold(ctx context.Context, wwwroot, certificate string) error {
	held, known, err := s.o.Store.Held(ctx, wwwroot)
	if err != nil {
		return err
	}
	if err := s.o.Store.Hold(ctx, wwwroot, certificate); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, told := s.formers[wwwroot]; !told || known && held != certificate {
		s.formers[wwwroot] = held // "" for the first certificate
	}
	return nil
}

// formerly is the certificate that the site had of another site before that of its row, nil if
// there was none.
func (s *Site) formerly(wwwroot string) *envelope.Certificate {
	s.mu.Lock()
	text := s.formers[wwwroot]
	s.mu.Unlock()
	former, err := envelope.ParseCertificate(text)
	if err != nil {
		return nil
	}
	return former
}
