package output

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// Redaction replaces names of hosts and addresses by stable pseudonyms, for --redact: what is
// printed can then be posted. The same name has the same pseudonym in all that a run prints. It
// takes too much rather than too little: whatever has the form of a host name, but for the endings
// of files. Paths of files and URLs stay.
type Redaction struct {
	lock  sync.Mutex
	names map[string]string
}

// hostForms are, in this order: an escape of JSON or Go, which stays; an address of IPv6 with
// brackets, or without; an address of IPv4; a host in a URL or a DSN; a name with dots; a name
// before a port, that was looked up, that --node has, or that is called a host.
var hostForms = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\.|` +
	`\[([0-9a-fA-F:]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:%\w+)?\]|` +
	`(?:^|[\s"'(=,])((?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?::(?:[0-9a-fA-F]{1,4}:)*(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{1,4})|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4})\b|` +
	`\b((?:\d{1,3}\.){3}\d{1,3})\b|` +
	`(?:://|@tcp\()([^\s/"'\\()<>:;,?#\[\]]+)|` +
	`((?:[\pL\pN_](?:[\pL\pN_-]*[\pL\pN])?\.)+\pL[\pL\pN-]*[\pL\pN])|` +
	`\b([A-Za-z][A-Za-z0-9-]*):\d{2,5}\b|` +
	`\blookup ([\pL\pN_.-]+)|` +
	`--node='?([^\s/"'\\()<>:;,?#\[\]]+)|` +
	`\bon host ([^\s,()"\\]+)`)

// fileName is what has the form of a host name and is a file of the tool, of Moodle or of the
// system. An ending that is also one of host names (of Moldova, for example) is that of a file only
// behind a single word, as in recovery.md.
var fileName = regexp.MustCompile(`(?i)\.(php|php-dist|json|jsonl|conf|cnf|cfg|ini|log|prom|html?|pem|crt|key|sock|pid|xml|txt|tmp|dat)$|^[^.]+\.(sh|go|mo|md|cache|service|timer)$|^php\d\.\d+-fpm(\.service)?$`)

// dotted is the form of hostForms for a name with dots that nothing calls a host: it may be a file.
const dotted = 5

// Redact puts a redaction before stdout and stderr. Whoever is given the new stderr must call
// finish, once nothing more is printed.
func (r *Results) Redact(stderr io.Writer) (redacted io.Writer, finish func()) {
	shared, stdout := new(Redaction), r.W
	out, log := shared.Writer(stdout), shared.Writer(stderr)
	r.W = out
	return log, func() {
		r.fail(out.Close())
		r.W = stdout
		_ = log.Close() // a log that is not written fails no run
	}
}

// Writer is w behind the redaction. It writes whole lines; Close writes the rest, and does not
// close w.
func (r *Redaction) Writer(w io.Writer) io.WriteCloser { return &redactingWriter{r: r, w: w} }

type redactingWriter struct {
	r    *Redaction
	w    io.Writer
	lock sync.Mutex
	rest []byte
}

func (w *redactingWriter) Write(p []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	lines := w.r.text(string(w.rest[:end]))
	w.rest = append([]byte(nil), w.rest[end:]...)
	if _, err := io.WriteString(w.w, lines); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *redactingWriter) Close() error {
	w.lock.Lock()
	defer w.lock.Unlock()
	_, err := io.WriteString(w.w, w.r.text(string(w.rest)))
	w.rest = nil
	return err
}

func (r *Redaction) text(text string) string {
	r.lock.Lock()
	defer r.lock.Unlock()
	var b strings.Builder
	end := 0
	for _, at := range hostForms.FindAllStringSubmatchIndex(text, -1) {
		for form := 1; form < len(at)/2; form++ {
			if from, to := at[2*form], at[2*form+1]; from >= 0 {
				if text[to-1] == '.' { // of a sentence
					to--
				}
				name := text[from:to]
				file := ""
				if form == dotted {
					name, file = ofFile(name)
				}
				if name != "" {
					name = r.pseudonym(name)
				}
				b.WriteString(text[end:from] + name + file)
				end = to
			}
		}
	}
	return b.String() + text[end:]
}

// ofFile splits a name with dots into the name of a host and what is of a file, or of a column or setting
// of Moodle: www.example.org.pem has both, config.php is no host, and a.example.org no file.
func ofFile(name string) (host, file string) {
	at := fileName.FindStringIndex(name)
	switch {
	case at != nil && strings.Contains(name[:at[0]], "."):
		return name[:at[0]], name[at[0]:]
	case at != nil, strings.EqualFold(name, "user.mnethostid"), strings.EqualFold(name, "config.mnet"):
		return "", name
	}
	return name, ""
}

// pseudonym is of a name without regard to case. This machine stays itself: that says nothing, and
// explains much.
func (r *Redaction) pseudonym(name string) string {
	key := strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case key == "localhost", key == "::1", strings.HasPrefix(key, "127."), name == "HOST": // the last one of --node=HOST
		return name
	case r.names == nil:
		r.names = map[string]string{}
	}
	if r.names[key] == "" {
		r.names[key] = fmt.Sprintf("host%d.example", len(r.names)+1)
	}
	return r.names[key]
}
