package muc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"renew_mnetkeys/moodledb/phprun"
)

// errJSON has no cause, because that would quote the file.
var errJSON = errors.New("is not JSON")

// jsonAsPHP writes the result of json_decode($source, true) as a PHP literal, in the order of the
// file.
func jsonAsPHP(source []byte) ([]byte, error) {
	if !utf8.Valid(source) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	var b bytes.Buffer
	if err := writeValue(&b, d); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return b.Bytes(), nil
}

func writeValue(b *bytes.Buffer, d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		return writeList(b, d, v == '{')
	case string:
		b.WriteString(phprun.Quote(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case json.Number:
		if _, err := strconv.ParseInt(v.String(), 10, 64); err != nil {
			b.WriteString(phprun.Quote(v.String())) // a float
			break
		}
		b.WriteString(v.String())
	default:
		b.WriteString("null")
	}
	return nil
}

func writeList(b *bytes.Buffer, d *json.Decoder, keyed bool) error {
	b.WriteString("array(")
	for d.More() {
		if keyed {
			if err := writeValue(b, d); err != nil {
				return err
			}
			b.WriteString(" => ")
		}
		if err := writeValue(b, d); err != nil {
			return err
		}
		b.WriteString(", ")
	}
	b.WriteString(")")
	_, err := d.Token()
	return err
}
