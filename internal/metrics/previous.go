package metrics

import (
	"bufio"
	"cmp"
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

// previous is what a file says of earlier runs. Its size is limited by that of the one file.
type previous struct {
	tenants map[string]*tenant            // by wwwroot
	runs    map[string]map[string]float64 // by metric, then by command
}

// readPrevious reads an old file leniently: what is missing, or was not written by this package, is
// ignored. No file at the path may block the run, so it does not wait for a pipe.
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
	for lines.Scan() { // ends at a line of more than 64 KiB, which this package never writes
		name, labels, value, ok := parseSample(lines.Text())
		if !ok || !(value >= 0) || math.IsInf(value, 0) {
			continue
		}
		wwwroot, command := labels["wwwroot"], labels["command"]
		switch of := s.runs[name]; {
		case of != nil && command != "" && (value > 0 || name != lastRun):
			of[command] = value
		case of == nil && wwwroot != "":
			s.readTenant(wwwroot, name, cmp.Or(labels["outcome"], labels["address"]), value)
		}
	}
}

// readTenant stores a sample if it belongs to a tenant. what is its other label: an outcome, or the
// address of a web server.
func (s previous) readTenant(wwwroot, name, what string, value float64) {
	t := s.tenants[wwwroot]
	if t == nil {
		t = &tenant{peers: map[rotate.PeerOutcome]int{}, nodes: map[string]float64{}}
	}
	switch {
	case name == notAfter && value > 0:
		t.notAfter = value
	case name == tenantSuccess:
		t.success = value
	case name == localSite:
		t.local = value == 1
	case name == nodeProven && what != "":
		t.nodes[what] = bit(value == 1)
	case name == tenantOutcome && value == 1 && what != "":
		t.seen, t.outcome = true, rotate.Outcome(what)
	case name == peers && value <= math.MaxInt32 && what != "":
		t.seen, t.peers[rotate.PeerOutcome(what)] = true, int(value)
	default:
		return
	}
	s.tenants[wwwroot] = t
}

// parseSample reads a line that family.write has written.
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
		quoted, err := strconv.QuotedPrefix(after) // Go's escapes include those of the format
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
