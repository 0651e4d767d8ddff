package peertest

import (
	"fmt"
	"time"
)

// Fault is one way to misbehave. Faults of connections and of HTTP concern every request; faults of
// keys and seals concern the calls that use these.
type Fault string

// Faults of connections. Those of TLS are for sites with an Options.Authority.
const (
	Unaccepted    Fault = "unaccepted"      // leaves the connection in its queue
	ResetAtOnce   Fault = "reset at once"   // resets it without reading anything
	TLSWrongName  Fault = "tls wrong name"  // a TLS certificate of another host
	TLSExpired    Fault = "tls expired"     // a TLS certificate that has expired
	TLSSelfSigned Fault = "tls self-signed" // a TLS certificate that no authority has signed
	TLSOld        Fault = "tls 1.0"         // speaks no newer version
)

// Faults of how an answer is written; the request has been carried out before.
const (
	ResetUnanswered Fault = "reset unanswered" // resets the connection instead
	ResetWithin     Fault = "reset within"     // resets it in the middle
	ResetAfter      Fault = "reset after"      // resets it after the last byte, whose number it had announced
	HTTP10          Fault = "http 1.0"         // as HTTP/1.0: no length, the end of the connection ends it
	KeepsOpen       Fault = "keeps open"       // leaves the connection open, though asked to close it
	BadChunks       Fault = "bad chunks"       // in chunks, of which the second has no size
)

// Faults of HTTP.
const (
	Hang         Fault = "hang"          // never answers
	Drop         Fault = "drop"          // closes the connection
	Truncate     Fault = "truncate"      // closes it in the middle of the answer
	Flood        Fault = "flood"         // answers without end
	FloodHeader  Fault = "flood header"  // the same, in the header
	NotHTTP      Fault = "not http"      // answers as an SSH server would
	Redirect     Fault = "redirect"      // to another host
	HTML         Fault = "html"          // a login page
	Empty        Fault = "empty"         // an empty body
	Gzip         Fault = "gzip"          // compressed without request: 64 MiB of zeros
	Off          Fault = "off"           // MNet disabled: Moodle answers 404 and a page, Mahara 403 and nothing
	UnknownVhost Fault = "unknown vhost" // VMoodle does not know the host
	Notices      Fault = "notices"       // PHP notices before the XML declaration, as HTML
	Warnings     Fault = "warnings"      // the same as text, after a byte order mark
	Footer       Fault = "footer"        // a PHP warning after the XML, as HTML
	Comment      Fault = "comment"       // a comment after the XML, as themes and performance footers leave it
	Padded       Fault = "padded"        // white space around the XML and a byte order mark before it, which are harmless
)

// Faults of keys and seals.
const (
	OtherCertificate   Fault = "other certificate"   // keyswap answers that of another site
	GarbageCertificate Fault = "garbage certificate" // keyswap answers no certificate
	OldCertificate     Fault = "old certificate"     // keyswap answers the previous certificate
	BadSignature       Fault = "bad signature"       // sealed answers are signed with a foreign key
	OtherSeal          Fault = "other seal"          // sealed answers are sealed to a foreign certificate
	OldSeal            Fault = "old seal"            // sealed answers are sealed to the caller's previous certificate
	Unsealed           Fault = "unsealed"            // sealed calls are answered in plain text
	NoRC4              Fault = "no rc4"              // plain 7023 to every sealed call
	Forgets            Fault = "forgets"             // its retired keys are gone
	StaleKey           Fault = "stale key"           // keyswap shows the current certificate, the rest uses the previous pair
	Deaf               Fault = "deaf"                // it cannot call other sites back, so it cannot heal
)

// OnSealed and OnPlain limit a fault that writes around the XML (Notices to Padded) to answers of
// that form. InSeal limits it to the XML-RPC in a sealed answer.
func OnSealed(f Fault) Fault { return "on sealed " + f }

// OnPlain: see OnSealed.
func OnPlain(f Fault) Fault { return "on plain " + f }

// InSeal: see OnSealed.
func InSeal(f Fault) Fault { return "in seal " + f }

// ClockAhead makes the site sign with timestamps that are later by d, or earlier if d is negative.
func ClockAhead(d time.Duration) Fault { return Fault("clock ahead " + d.String()) }

// Drip writes an answer in small pieces, the last of them d after the first.
func Drip(d time.Duration) Fault { return Fault("drip " + d.String()) }

// Answers makes the site answer every XML-RPC call with a plain fault of that code.
func Answers(code int) Fault { return Fault(fmt.Sprintf("answers fault %d", code)) }

// AnswersSealed makes the site answer every sealed call that it has opened and verified with a
// fault of that code, signed and sealed.
func AnswersSealed(code int) Fault { return Fault(fmt.Sprintf("answers sealed fault %d", code)) }

// Maintenance is 503 with an HTML page, and Retry-After in seconds: Moodle's CLI maintenance.
// Without that field, use Status(503).
func Maintenance(retryAfter int) Fault { return Fault(fmt.Sprintf("maintenance %d", retryAfter)) }

// Throttled is 429 with Retry-After: seconds, or a date (RFC 9110 §10.2.3).
func Throttled(retryAfter string) Fault { return Fault("throttled " + retryAfter) }

// Status makes the web server answer with that status and a page.
func Status(code int) Fault { return Fault(fmt.Sprintf("status %d", code)) }
