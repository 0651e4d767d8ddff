package peertest

import (
	"math/rand/v2"
	"time"
)

// chance draws the fault that a connection meets.
type chance struct {
	of     float64
	faults []Fault
	random *rand.Rand
	next   Fault // drawn already, so that a test can ask for it; "" for none
}

func newChance(o Options) *chance {
	c := &chance{of: o.Chance, faults: o.Faults, random: rand.New(rand.NewPCG(o.Seed, 0))}
	if c.faults == nil {
		c.faults = append(SilentFaults(), ChanceFaults(o.Authority != nil)...)
	}
	c.draw()
	return c
}

// draw returns the fault of a connection, "" for none.
func (c *chance) draw() Fault {
	drawn := c.next
	c.next = ""
	// It always draws two numbers: a seed's faults are the same, whatever the chance is.
	happens, which := c.random.Float64() < c.of, c.random.IntN(max(1, len(c.faults)))
	if happens && len(c.faults) > 0 {
		c.next = c.faults[which]
	}
	return drawn
}

// SilentFaults last until the caller gives up.
func SilentFaults() []Fault { return []Fault{Unaccepted, Hang, Drip(time.Hour)} }

// ChanceFaults are one fault of each kind, without the silent ones; those of TLS only if secured.
func ChanceFaults(secured bool) []Fault {
	faults := []Fault{
		ResetAtOnce, ResetUnanswered, ResetWithin, ResetAfter, HTTP10, KeepsOpen, BadChunks, Drip(100 * time.Millisecond),
		Drop, Truncate, Flood, FloodHeader, NotHTTP, Redirect, HTML, Empty, Gzip, Off, UnknownVhost, Notices, Warnings,
		Footer, Comment, Padded, OnSealed(Notices), OnPlain(Footer), InSeal(Warnings),
		Maintenance(1), Maintenance(300), Status(503), Status(500), Status(429), Status(404),
		OtherCertificate, GarbageCertificate, OldCertificate, BadSignature, OtherSeal, OldSeal, Unsealed, NoRC4, Forgets, StaleKey, Deaf,
		ClockAhead(time.Minute), ClockAhead(-time.Minute), ClockAhead(-25 * time.Hour), AnswersSealed(17), AnswersSealed(704), Answers(0), Answers(17), Answers(704), Answers(7020),
	}
	if secured {
		faults = append(faults, TLSWrongName, TLSExpired, TLSSelfSigned, TLSOld)
	}
	return faults
}
