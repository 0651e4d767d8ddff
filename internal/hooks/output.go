package hooks

import (
	"fmt"

	"renew_mnetkeys/internal/printable"
)

// output keeps the first and the last bytes written to it, half of size each: a command usually
// says first what it does, and last why it failed.
type output struct {
	size int // bytes in all
	head []byte
	tail []byte // less than twice size, of which the last half counts
	left int    // bytes that were dropped from the front of tail
}

// Write never fails: a command that writes too much is not delayed.
func (o *output) Write(b []byte) (int, error) {
	n := len(b)
	if room := o.size - o.size/2 - len(o.head); room > 0 {
		take := min(room, n)
		o.head, b = append(o.head, b[:take]...), b[take:]
	}
	for len(b) > 0 {
		take := min(len(b), o.size)
		o.tail, b = append(o.tail, b[:take]...), b[take:]
		if len(o.tail) > o.size { // trimmed rarely, so that each byte is moved about once
			o.trim()
		}
	}
	return n, nil
}

func (o *output) trim() {
	if over := len(o.tail) - o.size/2; over > 0 {
		o.left += over
		o.tail = o.tail[:copy(o.tail, o.tail[over:])]
	}
}

// String is what was kept, fit to be printed.
func (o *output) String() string {
	o.trim()
	if o.left == 0 {
		return printable.Lines(string(o.head) + string(o.tail))
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", printable.Lines(string(o.head)), o.left, printable.Lines(string(o.tail)))
}
