package peertest

import (
	"fmt"
	"time"
)

// Fault is one way to misbehave. Those of connections and of HTTP concern every request, those of
// keys and seals the calls they are about.
type Fault string

// Of connections. Those of TLS are for sites with an Options.Authority.
const (
	Unaccepted    Fault = "unaccepted"      // leaves the connection in its queue
	ResetAtOnce   Fault = "reset at once"   // resets it, having read nothing
	TLSWrongName  Fault = "tls wrong name"  // a TLS certificate of another host
	TLSExpired    Fault = "tls expired"     // one that has expired
	TLSSelfSigned Fault = "tls self-signed" // one that no authority has signed
	TLSOld        Fault = "tls 1.0"         // speaks nothing newer
)

// Of how an answer is handed over; what was asked has been done before.
const (
	ResetUnanswered Fault = "reset unanswered" // resets the connection instead
	ResetWithin     Fault = "reset within"     // resets it in the middle
	ResetAfter      Fault = "reset after"      // resets it after the last byte, whose number it had told
	HTTP10          Fault = "http 1.0"         // as HTTP/1.0: no length, the end of the connection ends it
	KeepsOpen       Fault = "keeps open"       // leaves the connection open, though asked to close it
	BadChunks       Fault = "bad chunks"       // in chunks, of which the second has no size
)

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
	Gzip         Fault = "gzip"          // compressed, though nobody asked: 64 MiB of zeros
	Off          Fault = "off"           // MNet switched off: Moodle 404 and a page, Mahara 403 and nothing
	UnknownVhost Fault = "unknown vhost" // VMoodle does not know the host
	Notices      Fault = "notices"       // PHP notices before the XML declaration, as HTML
	Warnings     Fault = "warnings"      // the same as text, behind a byte order mark
	Footer       Fault = "footer"        // a PHP warning behind the XML, as HTML
	Comment      Fault = "comment"       // a comment behind the XML, as themes and performance footers leave it
	Padded       Fault = "padded"        // white space around the XML and a byte order mark before it, which harm nobody
)

// Of keys and seals.
const (
	OtherCertificate   Fault = "other certificate"   // keyswap answers that of another site
	GarbageCertificate Fault = "garbage certificate" // keyswap answers what is none
	OldCertificate     Fault = "old certificate"     // keyswap answers the one before the current
	BadSignature       Fault = "bad signature"       // sealed answers are signed with a foreign key
	OtherSeal          Fault = "other seal"          // sealed answers are sealed to a foreign certificate
	OldSeal            Fault = "old seal"            // sealed answers are sealed to what it held of the caller before
	Unsealed           Fault = "unsealed"            // sealed calls are answered in plain text
	NoRC4              Fault = "no rc4"              // plain 7023 to every sealed call
	Forgets            Fault = "forgets"             // its retired keys are gone
	StaleKey           Fault = "stale key"           // keyswap shows the current certificate, the rest uses the pair before
	Deaf               Fault = "deaf"                // it cannot call anybody back, so that it cannot heal
)

// OnSealed and OnPlain commit a fault that writes around the XML (Notices to Padded) on answers of
// that form only, InSeal on the XML-RPC in a sealed answer.
func OnSealed(f Fault) Fault { return "on sealed " + f }

// OnPlain: see OnSealed.
func OnPlain(f Fault) Fault { return "on plain " + f }

// InSeal: see OnSealed.
func InSeal(f Fault) Fault { return "in seal " + f }

// ClockAhead stamps what the site signs that much later, or earlier.
func ClockAhead(d time.Duration) Fault { return Fault("clock ahead " + d.String()) }

// Drip hands an answer over in small pieces, the last of them that much later than the first.
func Drip(d time.Duration) Fault { return Fault("drip " + d.String()) }

// Answers makes the site answer every XML-RPC call with a plain fault of that code.
func Answers(code int) Fault { return Fault(fmt.Sprintf("answers fault %d", code)) }

// AnswersSealed makes the site answer every sealed call that it has opened and verified with a
// fault of that code, signed and sealed.
func AnswersSealed(code int) Fault { return Fault(fmt.Sprintf("answers sealed fault %d", code)) }

// Maintenance is 503 with an HTML page, and Retry-After in seconds: Moodle's CLI maintenance.
// Without that field it is Status(503).
func Maintenance(retryAfter int) Fault { return Fault(fmt.Sprintf("maintenance %d", retryAfter)) }

// Status makes the web server answer with that status and a page.
func Status(code int) Fault { return Fault(fmt.Sprintf("status %d", code)) }
