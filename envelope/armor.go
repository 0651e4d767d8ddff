package envelope

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// block matches one PEM block (RFC 7468) anywhere in a text. encoding/pem expects it at the start
// of a line, but a certificate may be inside a page of HTML, with CRLF, indented, or wrapped at any
// column.
var block = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----`)

// dearmor decodes the only block of text that has one of the labels. Its errors show nothing of the
// text.
func dearmor(text string, labels ...string) (label string, data []byte, err error) {
	if len(text) > MaxSize {
		return "", nil, ErrTooLarge
	}
	begun := 0
	for _, label := range labels {
		begun += strings.Count(text, "-----BEGIN "+label+"-----")
	}
	if begun != 1 {
		return "", nil, fmt.Errorf("%d PEM blocks instead of one", begun)
	}
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(labels, found[1]) {
			continue
		}
		if found[3] != found[1] {
			return "", nil, errors.New("PEM block ends as another than it began")
		}
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(found[2]), ""))
		if err != nil {
			return "", nil, errors.New("PEM block is not base64")
		}
		return found[1], data, nil
	}
	return "", nil, errors.New("PEM block does not end")
}
