package metrics

import (
	"bufio"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"renew_mnetkeys/rotate"
)

// maxPrevious is how much of an old file is read, in bytes: an array of 10000 tenants writes 20 MB.
const maxPrevious = 64 << 20

// previous is what a file says from earlier runs. That it is read from one file is what bounds it.
type previous struct {
	tenants map[string]*tenant            // by wwwroot
	runs    map[string]map[string]float64 // by metric, then by command
}

// readPrevious reads an old file leniently: what is not there, or not written by us, says nothing.
// Whatever stands at the path must not hold us up, so a pipe is not waited for.
func readPrevious(path string) previous {
	s := previous{tenants: map[string]*tenant{}, runs: map[string]map[string]float64{lastRun: {}, duration: {}, exitCode: {}, lastSuccess: {}}}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return s
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return s
	}
	s.read(file)
	return s
}

func (s previous) read(from io.Reader) {
	lines := bufio.NewScanner(io.LimitReader(from, maxPrevious))
	for lines.Scan() { // ends at a line of more than 64 KiB: none of ours
		name, labels, value, ok := parseSample(lines.Text())
		if !ok || !(value >= 0) || math.IsInf(value, 0) {
			continue
		}
		wwwroot, command := labels["wwwroot"], labels["command"]
		switch of := s.runs[name]; {
		case of != nil && command != "" && (value > 0 || name != lastRun):
			of[command] = value
		case of == nil && wwwroot != "":
			s.readTenant(wwwroot, name, labels["outcome"], value)
		}
	}
}

// readTenant takes a sample of a tenant, if it is one.
func (s previous) readTenant(wwwroot, name, outcome string, value float64) {
	t := s.tenants[wwwroot]
	if t == nil {
		t = &tenant{peers: map[rotate.PeerOutcome]int{}}
	}
	switch {
	case name == notAfter && value > 0:
		t.notAfter = value
	case name == tenantSuccess:
		t.success = value
	case name == localSite:
		t.local = value == 1
	case name == tenantOutcome && value == 1 && outcome != "":
		t.seen, t.outcome = true, rotate.Outcome(outcome)
	case name == peers && value <= math.MaxInt32 && outcome != "":
		t.seen, t.peers[rotate.PeerOutcome(outcome)] = true, int(value)
	default:
		return
	}
	s.tenants[wwwroot] = t
}

// parseSample reads a line as family.write writes it.
func parseSample(line string) (name string, labels map[string]string, value float64, ok bool) {
	name, rest, found := strings.Cut(line, "{")
	if !found || !strings.HasPrefix(name, "renew_mnetkeys_") {
		return "", nil, 0, false
	}
	labels = map[string]string{}
	for {
		label, after, found := strings.Cut(rest, "=")
		if !found {
			return "", nil, 0, false
		}
		quoted, err := strconv.QuotedPrefix(after) // the format's escapes are among Go's
		if err != nil {
			return "", nil, 0, false
		}
		if labels[label], err = strconv.Unquote(quoted); err != nil {
			return "", nil, 0, false
		}
		rest = after[len(quoted):]
		if after, more := strings.CutPrefix(rest, ","); more {
			rest = after
			continue
		}
		number, found := strings.CutPrefix(rest, "} ")
		value, err = strconv.ParseFloat(number, 64)
		return name, labels, value, found && err == nil
	}
}
