package peertest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fault is one way to misbehave. Those of HTTP concern every request, those of keys and seals the calls they are about.
type Fault string

// Of HTTP.
const (
	Hang         Fault = "hang"          // never answers
	Drop         Fault = "drop"          // closes the connection
	Truncate     Fault = "truncate"      // closes it in the middle of the answer
	Flood        Fault = "flood"         // answers without end
	FloodHeader  Fault = "flood header"  // the same in the header
	NotHTTP      Fault = "not http"      // answers as an SSH server would
	Redirect     Fault = "redirect"      // to another host
	HTML         Fault = "html"          // a login page
	Empty        Fault = "empty"         // an empty body
	Gzip         Fault = "gzip"          // compressed, though nobody asked: 16 MiB of zeros
	Off          Fault = "off"           // MNet switched off: Moodle 404 and a page, Mahara 403 and nothing
	UnknownVhost Fault = "unknown vhost" // VMoodle does not know the host
	Notices      Fault = "notices"       // PHP notices before the XML declaration
)

// Of keys and seals.
const (
	OtherCertificate   Fault = "other certificate"   // keyswap answers that of another site
	GarbageCertificate Fault = "garbage certificate" // keyswap answers what is none
	BadSignature       Fault = "bad signature"       // sealed answers are signed with a foreign key
	OtherSeal          Fault = "other seal"          // sealed answers are sealed to a foreign certificate
	Unsealed           Fault = "unsealed"            // sealed calls are answered in plain text
	NoRC4              Fault = "no rc4"              // plain 7023 to every sealed call
	Forgets            Fault = "forgets"             // its retired keys are gone
	StaleKey           Fault = "stale key"           // keyswap shows the current certificate, the rest uses the pair before
	Deaf               Fault = "deaf"                // it cannot call anybody back, so that it cannot heal
)

// ClockAhead stamps what the site signs that much later.
func ClockAhead(d time.Duration) Fault { return Fault("clock ahead " + d.String()) }

// Answers makes the site answer every XML-RPC call with a plain fault of that code.
func Answers(code int) Fault { return Fault(fmt.Sprintf("answers fault %d", code)) }

// Maintenance is 503 with an HTML page, and Retry-After in seconds: Moodle's CLI maintenance.
func Maintenance(retryAfter int) Fault { return Fault(fmt.Sprintf("maintenance %d", retryAfter)) }

// Status makes the web server answer with that status and a page.
func Status(code int) Fault { return Fault(fmt.Sprintf("status %d", code)) }

// faultSet are the faults that are in force for one request.
type faultSet []Fault

func (s *Site) faultsNow() faultSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := append(faultSet{}, s.faults...)
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

// argument returns what follows the name of a fault that has one.
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

func (f faultSet) clockAhead() time.Duration {
	argument, _ := f.argument("clock ahead ")
	ahead, _ := time.ParseDuration(argument) // 0 without the fault
	return ahead
}
