package output

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"renew_mnetkeys/internal/cmdline"
)

// Text that a peer or a row can put into an event is in one of its fields: a name, a detail, an
// error. No such text begins a line of its own, in either format.
func TestAnEventIsOneLineWhateverAPeerIsCalled(t *testing.T) {
	for name, hostile := range map[string]string{
		"a line of the log":       "x\n12:00:00 WRN forged",
		"a line of JSON":          "x\"}\n{\"level\":\"error\",\"message\":\"forged\"}",
		"a line end of elsewhere": "x\r\nforged\rforged",
		"an escape sequence":      "\x1b[2J\x1b]0;title\x07forged",
		"no text":                 "forged\xff\xfe\x00",
	} {
		for _, format := range []string{"console", "json"} {
			t.Run(name+", "+format, func(t *testing.T) {
				var stdout, stderr strings.Builder
				out := New(cmdline.Options{Debug: true, LogFormat: format}, &Results{W: &stdout}, &stderr, os.Getenv)
				out.Log.Warn().Err(errors.New(hostile)).Str("peer", hostile).Msg("exchange failed")
				want := 1
				// The log contains errors that end the run, and lines printed beside the result.
				if format == "json" {
					out.fail(errors.New(hostile))
					out.Tell("warning: %s", hostile)
					want = 3
				}
				lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
				if len(lines) != want || stdout.Len() > 0 {
					t.Errorf("%d events are %d lines: %q", want, len(lines), lines)
				}
				for _, line := range lines {
					if strings.ContainsAny(line, "\r\x1b\x07\x00") {
						t.Errorf("it steers the terminal: %q", line)
					}
					if format == "json" && !json.Valid([]byte(line)) {
						t.Errorf("no JSON: %q", line)
					}
					if !strings.Contains(line, "forged") {
						t.Errorf("the text is not there, which shows nothing: %q", line)
					}
				}
			})
		}
	}
}
