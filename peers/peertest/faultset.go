package peertest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultSet are the faults that are in force for one request.
type faultSet []Fault

// faultsNow are those in force for a node, those that the connection met, and one of the passing
// faults.
func (s *Site) faultsNow(met faultSet, node int) faultSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := append(faultSet{}, met...)
	for _, fault := range slices.Concat(s.faults, s.nodes[node].faults) {
		if !now.has(fault) {
			now = append(now, fault)
		}
	}
	if len(s.passing) > 0 {
		now = append(now, s.passing[0])
		s.passing = s.passing[1:]
	}
	return now
}

func (f faultSet) has(fault Fault) bool {
	for _, one := range f {
		if one == fault {
			return true
		}
	}
	return false
}

// argument returns what follows the name of a fault that has an argument.
func (f faultSet) argument(name string) (string, bool) {
	for _, one := range f {
		if argument, ok := strings.CutPrefix(string(one), name); ok {
			return argument, true
		}
	}
	return "", false
}

func (f faultSet) number(name string) (int, bool) {
	argument, ok := f.argument(name)
	number, err := strconv.Atoi(argument)
	return number, ok && err == nil
}

// duration is the argument of a fault that has a duration, 0 without the fault.
func (f faultSet) duration(name string) time.Duration {
	argument, _ := f.argument(name)
	d, _ := time.ParseDuration(argument)
	return d
}
