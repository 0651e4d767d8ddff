package envelope

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	dashes = "-----"
	begin  = dashes + "BEGIN "
	end    = dashes + "END "
)

// dearmor decodes the only PEM block (RFC 7468) of text that has one of the labels. encoding/pem
// expects it at the start of a line, but a certificate may be inside a page of HTML, with CRLF,
// indented, or wrapped at any column. Its errors show nothing of the text.
func dearmor(text string, labels ...string) (label string, data []byte, err error) {
	if len(text) > MaxSize {
		return "", nil, ErrTooLarge
	}
	begun := 0
	for _, l := range labels {
		if n := strings.Count(text, begin+l+dashes); n > 0 {
			label, begun = l, begun+n
		}
	}
	if begun != 1 {
		return "", nil, fmt.Errorf("%d PEM blocks instead of one", begun)
	}
	_, text, _ = strings.Cut(text, begin+label+dashes)
	body, text, _ := strings.Cut(text, end)
	last, _, closed := strings.Cut(text, dashes)
	if !closed || strings.Contains(body, "-") {
		return "", nil, errors.New("PEM block does not end")
	}
	if last != label {
		return "", nil, errors.New("PEM block ends as another than it began")
	}
	data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return "", nil, errors.New("PEM block is not base64")
	}
	return label, data, nil
}
