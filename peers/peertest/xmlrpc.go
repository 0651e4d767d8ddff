package peertest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// methodCall and methodResponse are the part of XML-RPC that MNet uses.
type methodCall struct {
	XMLName xml.Name `xml:"methodCall"`
	Method  string   `xml:"methodName"`
	Params  []value  `xml:"params>param>value"`
}

type methodResponse struct {
	XMLName xml.Name `xml:"methodResponse"`
	Value   *value   `xml:"params>param>value"`
	Fault   []member `xml:"fault>value>struct>member"`
}

type value struct {
	String  *string   `xml:"string"`
	Int     *string   `xml:"int"`
	Boolean *string   `xml:"boolean"`
	Array   *struct{} `xml:"array"`
	Bare    string    `xml:",chardata"` // a value without a type is a string
}

type member struct {
	Name  string `xml:"name"`
	Value value  `xml:"value"`
}

func (v value) text() string {
	for _, typed := range []*string{v.String, v.Int, v.Boolean} {
		if typed != nil {
			return *typed
		}
	}
	return v.Bare
}

// parseCall reads a call. It is as strict as old servers are: the method must be there.
func parseCall(body []byte) (methodCall, error) {
	var call methodCall
	if err := xml.Unmarshal(body, &call); err != nil {
		return call, err
	}
	if call.Method == "" {
		return call, fmt.Errorf("no methodName")
	}
	return call, nil
}

// FaultError is the fault that a site answered to another site's call.
type FaultError struct {
	Code   int
	Text   string
	Sealed bool
}

func (e *FaultError) Error() string { return fmt.Sprintf("fault %d: %.60s", e.Code, e.Text) }

// parseAnswer reads an answer; a fault is a *FaultError.
func parseAnswer(body []byte) (value, error) {
	// Moodle trims white space; a parser accepts a byte order mark, and nothing else before or
	// after the document.
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff"))
	if !bytes.HasPrefix(body, []byte("<?xml ")) && !bytes.HasPrefix(body, []byte("<methodResponse")) || !bytes.HasSuffix(body, []byte("</methodResponse>")) {
		return value{}, errors.New("XML parse error in payload")
	}
	var answer methodResponse
	if err := xml.Unmarshal(body, &answer); err != nil {
		return value{}, err
	}
	if answer.Fault != nil {
		fault := &FaultError{}
		for _, m := range answer.Fault {
			if m.Name == "faultCode" {
				fault.Code, _ = strconv.Atoi(m.Value.text())
			} else {
				fault.Text = m.Value.text()
			}
		}
		return value{}, fault
	}
	if answer.Value == nil {
		return value{}, fmt.Errorf("answer without a value")
	}
	return *answer.Value, nil
}

// escape writes text as ext/xmlrpc of PHP does: every unusual character by number, line ends too.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("<>&\"'\n", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// escapeXML writes text as PhpXmlRpc and Moodle's own faults do: line ends stay.
var escapeXML = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", `"`, "&quot;", "'", "&apos;")

// encodeCall is a call with string parameters, in Moodle 3.11's form.
func encodeCall(method string, params ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodCall>\n<methodName>%s</methodName>\n", method)
	if len(params) == 0 {
		b.WriteString("<params/>\n")
	} else {
		b.WriteString("<params>\n")
		for _, p := range params {
			fmt.Fprintf(&b, " <param>\n  <value>\n   <string>%s</string>\n  </value>\n </param>\n", escape(p))
		}
		b.WriteString("</params>\n")
	}
	b.WriteString("</methodCall>\n")
	return []byte(b.String())
}

// encodeValue is an answer of one value, given as the element of its type, in the form of 3.11 or
// of 4.1 and later.
func encodeValue(modern bool, element string) []byte {
	if modern {
		return []byte("<?xml version=\"1.0\"?>\n<methodResponse>\n<params>\n<param>\n<value>" + element +
			"</value>\n</param>\n</params>\n</methodResponse>")
	}
	return []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse>\n<params>\n <param>\n  <value>\n   " + element +
		"\n  </value>\n </param>\n</params>\n</methodResponse>\n")
}

func (s *Site) encodeString(text string) []byte {
	if s.o.Modern {
		return encodeValue(true, "<string>"+escapeXML.Replace(text)+"</string>")
	}
	return encodeValue(false, "<string>"+escape(text)+"</string>")
}

// encodeFault is mnet_server_fault_xml; every version writes it in the same way.
func encodeFault(code int, text string) []byte {
	return fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<methodResponse>\n   <fault>\n      <value>\n         <struct>\n"+
		"            <member>\n               <name>faultCode</name>\n               <value><int>%d</int></value>\n            </member>\n"+
		"            <member>\n               <name>faultString</name>\n               <value><string>%s</string></value>\n            </member>\n"+
		"         </struct>\n      </value>\n   </fault>\n</methodResponse>", code, escapeXML.Replace(text))
}
