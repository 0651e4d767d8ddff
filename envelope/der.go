package envelope

import "fmt"

// Tags of X.690 §8 that occur in certificates.
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOID             = 0x06
	tagUTF8String      = 0x0c
	tagNumericString   = 0x12
	tagPrintableString = 0x13
	tagT61String       = 0x14
	tagIA5String       = 0x16
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagUniversalString = 0x1c
	tagBMPString       = 0x1e
	tagSequence        = 0x30
	tagSet             = 0x31
	tagVersion         = 0xa0 // [0] EXPLICIT of RFC 5280 §4.1
)

// walk reads one level of DER. The first error stays, in all levels of one walk, and everything
// after it is empty, so that the caller checks for an error once, at the end. x509.ParseCertificate
// refuses much that OpenSSL reads: negative serials, an @ in a PrintableString, UniversalString, a
// modulus without its leading zero. walk checks the lengths and tags that it passes, and nothing
// else.
type walk struct {
	rest []byte
	at   int // offset of rest in the whole document, for errors
	err  *error
}

func newWalk(der []byte) *walk { return &walk{rest: der, err: new(error)} }

// in goes one level down, into the next value, which must have tag.
func (w *walk) in(tag byte) *walk {
	content := w.next(tag)
	return &walk{rest: content, at: w.at - len(content), err: w.err}
}

// next returns the content of the next value, which must have the given tag.
func (w *walk) next(tag byte) []byte {
	if got := w.tag(); got != tag {
		w.fail("tag %#02x where %#02x is wanted", got, tag)
		return nil
	}
	_, content := w.any()
	return content
}

// tag is the tag of the next value, 0 at the end.
func (w *walk) tag() byte {
	if len(w.rest) == 0 {
		return 0
	}
	return w.rest[0]
}

func (w *walk) more() bool { return *w.err == nil && len(w.rest) > 0 }

// any returns the next value, whatever its tag.
func (w *walk) any() (tag byte, content []byte) {
	if *w.err != nil {
		return 0, nil
	}
	if len(w.rest) < 2 {
		w.fail("truncated")
		return 0, nil
	}
	tag, length, header := w.rest[0], int(w.rest[1]), 2
	if tag&0x1f == 0x1f {
		w.fail("tag of more than one byte")
		return 0, nil
	}
	if length >= 0x80 {
		// OpenSSL accepts lengths that are written longer than necessary. A length of more than 4
		// bytes cannot fit in MaxSize; a length of no bytes is BER's indefinite form, which no
		// signer of X.509 writes.
		n := length & 0x7f
		if n == 0 || n > 4 || len(w.rest) < header+n {
			w.fail("length of %d bytes", n)
			return 0, nil
		}
		length = 0
		for _, b := range w.rest[header : header+n] {
			length = length<<8 | int(b)
		}
		header += n
	}
	if length < 0 || length > len(w.rest)-header {
		w.fail("truncated")
		return 0, nil
	}
	content = w.rest[header : header+length]
	w.rest = w.rest[header+length:]
	w.at += header + length
	return tag, content
}

func (w *walk) fail(format string, args ...any) {
	if *w.err == nil {
		*w.err = fmt.Errorf("%w: %s at byte %d", ErrCertificate, fmt.Sprintf(format, args...), w.at)
	}
	w.rest = nil
}
