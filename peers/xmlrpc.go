package peers

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"

	"renew_mnetkeys/envelope"
)

// fault is an XML-RPC fault.
type fault struct {
	code int
	text string // the peer's words; Mahara has one sentence for nearly everything, so only the code has a meaning
}

// encodeCall is an XML-RPC call with strings and ints. Without parameters it has an empty <params>,
// which old servers require.
func encodeCall(method string, params ...any) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><methodCall><methodName>` + method + "</methodName><params>")
	for _, p := range params {
		kind := "string"
		if _, ok := p.(int); ok {
			kind = "int"
		}
		b.WriteString("<param><value><" + kind + ">")
		_ = xml.EscapeText(&b, fmt.Append(nil, p)) // a bytes.Buffer takes everything
		b.WriteString("</" + kind + "></value></param>")
	}
	b.WriteString("</params></methodCall>")
	return b.Bytes()
}

var errNotXMLRPC = errors.New("no XML-RPC answer")

// These limits are above every MNet answer: the longest, of system/listServices, has about a
// thousand tags, ten deep. The tree of a document needs a hundred times its size.
const (
	maxTags  = 1 << 16
	maxDepth = 64
)

// decodeAnswer reads an XML-RPC answer: a value or a fault. Output around it is an
// *envelope.StrayError. A declared encoding is ignored: bytes that are not UTF-8 are ISO 8859-1.
func decodeAnswer(body []byte) (any, *fault, error) {
	start := bytes.Index(body, []byte("<methodResponse"))
	if start < 0 || !bytes.Contains(body[start:], []byte("</methodResponse>")) {
		return nil, nil, errNotXMLRPC
	}
	if err := envelope.CheckStray(body, "methodResponse"); err != nil {
		return nil, nil, err
	}
	if bytes.Count(body, []byte("<")) > maxTags {
		return nil, nil, errNotXMLRPC
	}
	document := etree.NewDocument()
	document.ReadSettings.MaxDepth = maxDepth
	if err := document.ReadFromBytes(toUTF8(body[start:])); err != nil {
		return nil, nil, errNotXMLRPC
	}
	value, err := decodeValue(document.FindElement("/methodResponse//value"))
	if err != nil {
		return nil, nil, err
	}
	if document.FindElement("/methodResponse/fault") == nil {
		return value, nil, nil
	}
	members, _ := value.(map[string]any)
	code, hasCode := members["faultCode"].(int64)
	text, hasText := members["faultString"].(string)
	if members["faultCode"] != nil && !hasCode || members["faultString"] != nil && !hasText || members == nil {
		return nil, nil, errNotXMLRPC
	}
	return nil, &fault{code: int(code), text: text}, nil
}

// decodeValue reads a <value>: a string (base64 too, undecoded), an int64, a float64, a bool, a
// slice, a map, or nil. A value without a type is a string.
func decodeValue(v *etree.Element) (any, error) {
	if v == nil {
		return nil, errNotXMLRPC
	}
	typed := v.ChildElements()
	if bare := strings.TrimSpace(v.Text()); bare != "" || len(typed) == 0 {
		return bare, nil
	}
	switch e := typed[0]; e.Tag {
	case "array":
		return decodeArray(e)
	case "struct":
		return decodeStruct(e)
	default:
		return decodeScalar(e)
	}
}

func decodeScalar(e *etree.Element) (value any, err error) {
	if len(e.ChildElements()) > 0 {
		return nil, errNotXMLRPC
	}
	switch text := e.Text(); e.Tag {
	case "string", "base64", "dateTime.iso8601":
		return text, nil
	case "nil":
		return nil, nil
	case "int", "i4", "i8":
		value, err = strconv.ParseInt(text, 10, 64)
	case "double":
		value, err = strconv.ParseFloat(text, 64)
	case "boolean":
		value, err = strconv.ParseBool(text)
	default:
		return nil, errNotXMLRPC
	}
	if err != nil {
		return nil, errNotXMLRPC
	}
	return value, nil
}

func decodeArray(e *etree.Element) (any, error) {
	values := []any{}
	data := e.SelectElement("data")
	if data == nil {
		return nil, errNotXMLRPC
	}
	for _, v := range data.ChildElements() {
		if v.Tag != "value" {
			return nil, errNotXMLRPC
		}
		value, err := decodeValue(v)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func decodeStruct(e *etree.Element) (any, error) {
	members := map[string]any{}
	for _, m := range e.ChildElements() {
		name := m.SelectElement("name")
		if m.Tag != "member" || name == nil {
			return nil, errNotXMLRPC
		}
		value, err := decodeValue(m.SelectElement("value"))
		if err != nil {
			return nil, err
		}
		members[name.Text()] = value
	}
	return members, nil
}

// toUTF8 reads bytes that are not UTF-8 as ISO 8859-1, the default of PHP's xmlrpc extension.
func toUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return []byte(string(runes))
}
