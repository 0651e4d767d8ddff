package metrics

import (
	"bufio"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxStanding is how much of an old file is read, in bytes: an array of 10000 tenants writes 20 MB.
const maxStanding = 64 << 20

// standing is what a file says from earlier runs, in seconds since 1970.
type standing struct {
	notAfter map[string]float64 // by wwwroot
	success  map[string]float64 // by wwwroot
	runs     map[string]float64 // last success by command
}

// readStanding reads an old file leniently: what is not there, or not written by us, says nothing. Whatever stands at the path must not hold us up, so a
// pipe is not waited for.
func readStanding(path string) standing {
	s := standing{notAfter: map[string]float64{}, success: map[string]float64{}, runs: map[string]float64{}}
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

func (s standing) read(from io.Reader) {
	lines := bufio.NewScanner(io.LimitReader(from, maxStanding))
	for lines.Scan() { // ends at a line of more than 64 KiB: none of ours
		name, labels, value, ok := parseSample(lines.Text())
		if !ok || !(value > 0) || math.IsInf(value, 0) {
			continue
		}
		into, key := map[string]float64(nil), labels["wwwroot"]
		switch name {
		case notAfter:
			into = s.notAfter
		case tenantSuccess:
			into = s.success
		case lastSuccess:
			into, key = s.runs, labels["command"]
		}
		if into != nil && key != "" {
			into[key] = value
		}
	}
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
