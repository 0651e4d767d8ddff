package peers

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/kolo/xmlrpc"

	"renew_mnetkeys/envelope"
)

// fault is an XML-RPC fault.
type fault struct {
	code int
	text string // the peer's words; Mahara has one sentence for nearly everything, only the code tells
}

// encodeCall is an XML-RPC call. Without parameters it has an empty <params>, which old servers want to see.
func encodeCall(method string, params ...any) ([]byte, error) {
	return xmlrpc.EncodeMethodCall(method, append([]any{}, params...)...)
}

var errNotXMLRPC = errors.New("no XML-RPC answer")

// decodeAnswer reads an XML-RPC answer: a value or a fault. Output around it is an *envelope.StrayError. kolo/xmlrpc reads everything the captures and vectors hold;
// two things it must be spared are a declared encoding other than UTF-8 (it would need a package variable set) and a
// string without <string> in it, which it reads only where a string is asked for.
func decodeAnswer(body []byte) (any, *fault, error) {
	root := bytes.Index(body, []byte("<methodResponse"))
	if root < 0 || !bytes.Contains(body[root:], []byte("</methodResponse>")) {
		return nil, nil, errNotXMLRPC
	}
	if err := envelope.CheckStray(body, "methodResponse"); err != nil {
		return nil, nil, err
	}
	document := xmlrpc.Response(toUTF8(body[root:]))
	if err := document.Err(); err != nil {
		var f xmlrpc.FaultError
		if errors.As(err, &f) {
			return nil, &fault{code: f.Code, text: f.String}, nil
		}
		return nil, nil, errNotXMLRPC
	}
	var text string
	if document.Unmarshal(&text) == nil {
		return text, nil, nil
	}
	var value any
	if document.Unmarshal(&value) != nil {
		return nil, nil, errNotXMLRPC
	}
	return value, nil, nil
}

// toUTF8 takes bytes that are no UTF-8 for ISO 8859-1, the default of PHP's xmlrpc extension.
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
