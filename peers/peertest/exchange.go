package peertest

import (
	"context"
	"slices"
)

// Exchange is one connection to a site, or a further request on one.
type Exchange struct {
	Faults  []Fault // the faults it met: those in force, and the one drawn by chance
	Served  bool    // a request was read
	Request Request // as far as it was answered
}

// Exchanges are those so far, in the order in which they began. Unlike Requests, they also show
// connections on which no request came.
func (s *Site) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Exchange, len(s.exchanges))
	for i, e := range s.exchanges {
		all[i] = *e
		all[i].Faults = slices.Clone(e.Faults)
	}
	return all
}

// Forget drops what the site has noted of its requests, for tests with many.
func (s *Site) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.exchanges = nil, nil
}

// meet begins an exchange.
func (s *Site) meet() *Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Exchange{Faults: slices.Clone(s.faults)}
	if drawn := s.chance.draw(); drawn != "" {
		e.Faults = append(e.Faults, drawn)
	}
	s.exchanges = append(s.exchanges, e)
	return e
}

// begin gives a request the exchange of its connection, or a new one if that exchange already had a
// request.
func (s *Site) begin(ctx context.Context) *Exchange {
	c, _ := ctx.Value(connKey{}).(*conn)
	s.mu.Lock()
	first := c != nil && !c.exchange.Served
	s.mu.Unlock()
	e := &Exchange{}
	if first {
		e = c.exchange
	} else {
		e = s.meet()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Served = true
	return e
}

// note writes down how far an exchange has come. It is called before the answer is written, because
// the caller may ask at once.
func (v *visit) note() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.exchange.Faults, v.exchange.Request = v.faults, v.log
}
