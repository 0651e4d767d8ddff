package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

const (
	declaration = `version="1.0" encoding="iso-8859-1"`

	// A sealed document has 5 levels and about 40 tags; a tree of one mebibyte of empty elements
	// would need 50 MiB.
	maxDepth  = 16
	maxMarkup = 256
)

// render writes root as Moodle's templates have it: the root is indented by four spaces, without a
// line end at the end. Servers look for the root's name within the first 100 bytes, but not at
// offset 0, so the declaration must be there.
func render(root *etree.Element) ([]byte, error) {
	// etree indents children, never the root: so the root becomes a child for a moment.
	margin := etree.NewElement("margin")
	margin.AddChild(root)
	margin.IndentWithSettings(etree.NewIndentSettings())

	document := etree.NewDocument()
	document.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true} // escapes only what it must
	document.CreateProcInst("xml", declaration)
	document.CreateText("\n    ")
	document.AddChild(root)
	text, err := document.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", root.Tag, err)
	}
	if len(text) > MaxSize {
		return nil, fmt.Errorf("write %s: %w", root.Tag, ErrTooLarge)
	}
	return text, nil
}

// read parses a document whose root must be called name, with nothing around it (CheckStray). Bytes
// are taken as they are: the declaration says iso-8859-1, but Moodle puts its UTF-8 strings in all
// the same.
func read(text []byte, name string) (*etree.Element, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("read %s: %w", name, ErrTooLarge)
	}
	if err := CheckStray(text, name); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if bytes.Count(text, []byte("<")) > maxMarkup {
		return nil, fmt.Errorf("read %s: %w: too many elements", name, ErrMalformed)
	}
	if declaresType(text) {
		return nil, fmt.Errorf("read %s: %w", name, ErrDTD)
	}
	document := etree.NewDocument()
	document.ReadSettings.MaxDepth = maxDepth
	if err := document.ReadFromBytes(text); err != nil {
		// The parser's own text may quote one mebibyte of the peer's input.
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("read %s: %w: line %d", name, ErrMalformed, syntax.Line)
		}
		return nil, fmt.Errorf("read %s: %w: truncated, unbalanced or too deep", name, ErrMalformed)
	}
	root := document.Root()
	if root == nil || root.Tag != name {
		return nil, fmt.Errorf("read %s: %w: no such root", name, ErrMalformed)
	}
	return root, nil
}

// declaresType finds DOCTYPE and similar declarations (XML 1.0 §2.8) before a parser reads them.
func declaresType(text []byte) bool {
	for {
		_, after, found := bytes.Cut(text, []byte("<!"))
		if !found {
			return false
		}
		if !bytes.HasPrefix(after, []byte("--")) && !bytes.HasPrefix(after, []byte("[CDATA[")) {
			return true
		}
		text = after
	}
}

// only follows path down from scope. Moodle takes an element by its name, wherever it is. If a name
// occurred a second time anywhere in the scope, Moodle could read something else than this package.
func only(scope *etree.Element, path ...string) (*etree.Element, error) {
	at := scope
	for _, name := range path {
		if occurrences(scope, name) > 1 {
			return nil, fmt.Errorf("read %s: %w: %s", scope.Tag, ErrDoubled, name)
		}
		if at = at.SelectElement(name); at == nil {
			return nil, fmt.Errorf("read %s: %w: no %s", scope.Tag, ErrMalformed, name)
		}
	}
	return at, nil
}

// occurrences ignores case, as PHP's parser folds it.
func occurrences(scope *etree.Element, name string) int {
	n := 0
	for _, child := range scope.ChildElements() {
		if strings.EqualFold(child.Tag, name) {
			n++
		}
		n += occurrences(child, name)
	}
	return n
}

// leaf is the text of the one element at path. A comment or element in it is refused, because
// readers differ in how they read "http://a<!-- -->.example".
func leaf(scope *etree.Element, path ...string) (string, error) {
	element, err := only(scope, path...)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, token := range element.Child {
		data, ok := token.(*etree.CharData)
		if !ok {
			return "", fmt.Errorf("read %s: %w: %s has more than text", scope.Tag, ErrMalformed, element.Tag)
		}
		text.WriteString(data.Data)
	}
	return text.String(), nil
}

// base64Leaf decodes strictly, so that no changed character stays unnoticed, except for white
// space.
func base64Leaf(scope *etree.Element, path ...string) ([]byte, error) {
	text, err := leaf(scope, path...)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("read %s: %w: %s is empty or not base64", scope.Tag, ErrMalformed, path[len(path)-1])
	}
	return data, nil
}

// expectAlgorithm refuses a document that names another algorithm than MNet uses.
func expectAlgorithm(scope *etree.Element, algorithm string, path ...string) error {
	method, err := only(scope, path...)
	if err != nil {
		return err
	}
	if got := method.SelectAttrValue("Algorithm", ""); got != algorithm {
		return fmt.Errorf("read %s: %w: %s names another algorithm", scope.Tag, ErrMalformed, method.Tag)
	}
	return nil
}
