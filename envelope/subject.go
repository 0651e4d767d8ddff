package envelope

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// names reads a distinguished name (RFC 5280 §4.1.2.4) and returns the two attributes by which MNet
// knows a site, the first of each kind. It skips a value that has no text, as PHP's
// openssl_x509_parse does.
func (w *walk) names() (commonName, subjectAltName string) {
	var haveCN, haveSAN bool
	for w.more() {
		for set := w.in(tagSet); set.more(); {
			attribute := set.in(tagSequence)
			oid := string(attribute.next(tagOID))
			value, ok := dnText(attribute.any())
			switch {
			case oid == oidCommonName && ok && !haveCN:
				commonName, haveCN = value, true
			case oid == oidSubjectAltName && ok && !haveSAN:
				subjectAltName, haveSAN = value, true
			}
		}
	}
	return commonName, subjectAltName
}

// dnText decodes a string as OpenSSL's ASN1_STRING_to_UTF8 does, which reads every one-byte type,
// T61String (Teletex) included, as ISO 8859-1.
func dnText(tag byte, content []byte) (string, bool) {
	var runes []rune
	switch tag {
	case tagUTF8String:
		return string(content), utf8.Valid(content)
	case tagNumericString, tagPrintableString, tagT61String, tagIA5String:
		for _, b := range content {
			runes = append(runes, rune(b))
		}
	case tagBMPString:
		if len(content)%2 != 0 {
			return "", false
		}
		var units []uint16
		for ; len(content) > 0; content = content[2:] {
			units = append(units, binary.BigEndian.Uint16(content))
		}
		runes = utf16.Decode(units)
	case tagUniversalString:
		if len(content)%4 != 0 {
			return "", false
		}
		for ; len(content) > 0; content = content[4:] {
			r := rune(binary.BigEndian.Uint32(content))
			if !utf8.ValidRune(r) {
				return "", false
			}
			runes = append(runes, r)
		}
	default:
		return "", false
	}
	return string(runes), true
}

// time reads a Time of RFC 5280 §4.1.2.5 and the forms of X.690 §11.7 that older signers wrote:
// without seconds, with an offset instead of Z, with fractions.
func (w *walk) time() time.Time {
	tag, content := w.any()
	var layouts []string
	switch tag {
	case tagUTCTime:
		layouts = []string{"060102150405Z0700", "0601021504Z0700"}
	case tagGeneralizedTime:
		layouts = []string{"20060102150405Z0700", "200601021504Z0700"}
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, string(content))
		if err != nil {
			continue
		}
		if tag == tagUTCTime && t.Year() >= 2050 {
			t = t.AddDate(-100, 0, 0) // RFC 5280 splits the centuries at 1950, Go at 1969
		}
		return t.UTC()
	}
	w.fail("unreadable time")
	return time.Time{}
}
