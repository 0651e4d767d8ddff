package peertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// State is what a site says about itself (Site.State, Site.Management).
type State struct {
	Wwwroot     string            `json:"wwwroot"`
	Kind        string            `json:"kind"`
	Certificate string            `json:"certificate"` // PEM
	Holds       map[string]string `json:"holds"`       // the certificates of the hosts it was given, by wwwroot
	Faults      []Fault           `json:"faults"`      // in force
	Next        Fault             `json:"next"`        // what chance has drawn for the next connection, "" for nothing
	Did         map[Fault]int     `json:"did"`         // how many exchanges met each fault
	Exchanges   int               `json:"exchanges"`   // total
	Last        Exchange          `json:"last"`
}

// State returns which certificates the site has, what it has done, and what it will do next.
func (s *Site) State() State {
	state := State{Wwwroot: s.o.Wwwroot, Kind: s.o.Kind.String(), Certificate: s.Certificate(), Holds: map[string]string{}, Did: map[Fault]int{}}
	all := s.Exchanges()
	for _, e := range all {
		for _, fault := range e.Faults {
			state.Did[fault]++
		}
		state.Last = e
	}
	s.mu.Lock()
	state.Faults, state.Next, state.Exchanges = slices.Clone(s.faults), s.chance.next, len(all)
	var told []string
	for wwwroot := range s.formers {
		told = append(told, wwwroot)
	}
	s.mu.Unlock()
	for _, wwwroot := range told {
		state.Holds[wwwroot] = s.Held(wwwroot)
	}
	return state
}

// Management lets tests in other languages read a site's state and change it. It must be served on
// an address of its own, where no fault reaches it:
//
//	GET /state                     the State, as JSON
//	PUT /faults   ["hang"]         as Misbehave
//	PUT /hosts    {"http://…": "-----BEGIN CERTIFICATE-----…"}   as Know
//
// The answer to a change is the new state; the answer to an unreadable request is 400.
func (s *Site) Management() http.Handler {
	mux := http.NewServeMux()
	tell := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.State())
	}
	mux.HandleFunc("GET /state", tell)
	change(mux, "PUT /faults", tell, func(_ context.Context, faults []Fault) error {
		s.Misbehave(faults...)
		return nil
	})
	change(mux, "PUT /hosts", tell, func(ctx context.Context, hosts map[string]string) error {
		for wwwroot, certificate := range hosts {
			if err := s.hold(ctx, wwwroot, certificate); err != nil {
				return err
			}
		}
		return nil
	})
	return mux
}

// changeLimit bounds a change, in bytes.
const changeLimit = 1 << 20

// change adds a path that takes a value.
func change[T any](mux *http.ServeMux, pattern string, tell http.HandlerFunc, do func(context.Context, T) error) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var value T
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, changeLimit)).Decode(&value)
		if err == nil {
			err = do(r.Context(), value)
		}
		if err != nil {
			http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
			return
		}
		tell(w, r)
	})
}
