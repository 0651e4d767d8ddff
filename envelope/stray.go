package envelope

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"unicode/utf8"
)

// StrayError says that there is text before or after an XML document: PHP notices, an echo in
// config.php, the footer of a theme. Moodle's parser (mnet_encxml_parser in
// mnet/xmlrpc/xmlparser.php, and that of XML-RPC) refuses such a document as a whole. It is an
// ErrMalformed.
type StrayError struct {
	Behind bool   // after the root element; otherwise before the document
	Text   []byte // the stray text as the other side wrote it: not safe to print
}

func (e *StrayError) Error() string {
	return fmt.Sprintf("%d stray bytes %s the XML", len(e.Text), e.Where())
}

// Where returns "before" or "behind".
func (e *StrayError) Where() string {
	if e.Behind {
		return "behind"
	}
	return "before"
}

func (e *StrayError) Unwrap() error { return ErrMalformed }

const (
	whiteSpace    = " \t\r\n" // XML 1.0, production S
	byteOrderMark = "\xef\xbb\xbf"
)

// CheckStray says whether text is one document with that root and nothing around it but white
// space. A byte order mark may precede it, but not a byte order mark and white space before a
// declaration: expat and libxml refuse that. Comments after the root count as stray, because some
// parsers refuse them. The error is a *StrayError. CheckStray says nothing about a text that has no
// such root or does not end it.
func CheckStray(text []byte, root string) error {
	at := rootAt(text, root)
	if at < 0 || !bytes.Contains(text[at:], []byte("</"+root)) {
		return nil
	}
	document := bytes.TrimPrefix(bytes.TrimLeft(text, whiteSpace), []byte(byteOrderMark))
	declared := declares(document)
	if !declared {
		document = bytes.TrimLeft(document, whiteSpace)
	}
	if !declared && rootAt(document, root) != 0 {
		return &StrayError{Text: before(text[:at])}
	}
	end, begun := rootEnd(document, root)
	switch rest := document[end:]; {
	case !begun:
		return &StrayError{Text: before(text[:at])}
	case len(bytes.Trim(rest, whiteSpace)) > 0:
		return &StrayError{Behind: true, Text: bytes.Trim(rest, whiteSpace)}
	}
	return nil
}

// before returns what precedes the declaration of a document, or what precedes its root if there is
// nothing before the declaration.
func before(text []byte) []byte {
	if at := bytes.LastIndex(text, []byte("<?xml")); len(bytes.Trim(text[:max(at, 0)], whiteSpace)) > 0 {
		text = text[:at]
	}
	return bytes.TrimLeft(bytes.TrimPrefix(bytes.Trim(text, whiteSpace), []byte(byteOrderMark)), whiteSpace)
}

// declares says whether text begins with an XML declaration (XML 1.0 §2.8).
func declares(text []byte) bool {
	after, found := bytes.CutPrefix(text, []byte("<?xml"))
	return found && len(after) > 0 && bytes.IndexByte([]byte(whiteSpace), after[0]) >= 0
}

// rootAt is the offset of the first start tag of that name, -1 if there is none.
func rootAt(text []byte, name string) int {
	tag := []byte("<" + name)
	for from := 0; ; {
		at := bytes.Index(text[from:], tag)
		if at < 0 {
			return -1
		}
		from += at + len(tag)
		if from < len(text) && bytes.IndexByte([]byte(whiteSpace+">/"), text[from]) >= 0 {
			return from - len(tag)
		}
	}
}

// rootEnd is the offset after the root element. begun is false if anything other than comments,
// instructions and a document type precedes the root. An element that does not end reaches to the
// end of the text.
func rootEnd(text []byte, name string) (end int, begun bool) {
	text = bytes.Clone(text)
	for i, b := range text {
		if b >= utf8.RuneSelf { // UTF-8, or a byte at which a decoder of UTF-8 stops
			text[i] = 'x'
		}
	}
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // as read does
	declared := false
	for depth := 0; ; {
		token, err := decoder.RawToken()
		if err != nil {
			return len(text), depth > 0
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && t.Name.Local != name {
				return len(text), false
			}
			depth++
		case xml.EndElement:
			depth--
			if depth <= 0 {
				return int(decoder.InputOffset()), true
			}
		case xml.ProcInst:
			if depth == 0 && t.Target == "xml" && declared {
				return len(text), false
			}
			declared = true
		case xml.CharData:
			if depth == 0 && len(bytes.Trim(t, whiteSpace)) > 0 {
				return len(text), false
			}
		}
	}
}
