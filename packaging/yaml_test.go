package packaging_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// node is a value of a YAML document: a mapping if fields is not nil, a sequence if items is not
// nil, else a scalar.
type node struct {
	line   int
	scalar string
	quoted bool
	fields map[string]*node
	items  []*node
}

// yamlReader reads the part of YAML that people read without surprises: block mappings and
// sequences, two spaces per level, plain and double-quoted scalars on one line, comments on their
// own lines. It refuses the rest, and what YAML forbids: a key given twice.
type yamlReader struct{ lines []yamlLine }

type yamlLine struct {
	number, indent int
	text           string
}

var (
	yamlKey = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_./-]*):(?: +(\S.*))?$`)
	// A plain scalar that starts with one of these is something else.
	yamlIndicator = regexp.MustCompile("^(?:[\\[\\]{}&*!|>'\"%@`#,]|[?:-](?: |$))")
)

func readYAML(text string) (*node, error) {
	r := &yamlReader{}
	for i, line := range strings.Split(text, "\n") {
		content := strings.TrimLeft(line, " ")
		if content == "" || content[0] == '#' {
			continue
		}
		indent := len(line) - len(content)
		if strings.Contains(line, "\t") || strings.HasSuffix(line, " ") || indent%2 != 0 {
			return nil, fmt.Errorf("line %d: a tab, a space at the end, or an odd indentation", i+1)
		}
		r.lines = append(r.lines, yamlLine{i + 1, indent, content})
	}
	n, err := r.block(0)
	if err == nil && len(r.lines) > 0 {
		err = r.refuse("is not where it can be")
	}
	return n, err
}

func (r *yamlReader) refuse(why string) error {
	return fmt.Errorf("line %d: %q %s", r.lines[0].number, r.lines[0].text, why)
}

// at reports whether the next line belongs to the block with that indentation, and whether it is an
// item of a sequence.
func (r *yamlReader) at(indent int, item bool) bool {
	return len(r.lines) > 0 && r.lines[0].indent == indent && strings.HasPrefix(r.lines[0].text, "- ") == item
}

func (r *yamlReader) block(indent int) (*node, error) {
	switch {
	case r.at(indent, true):
		return r.sequence(indent)
	case r.at(indent, false):
		return r.mapping(indent)
	case len(r.lines) == 0:
		return nil, fmt.Errorf("the end, where a value should be")
	}
	return nil, r.refuse("is not where the value should be")
}

func (r *yamlReader) mapping(indent int) (*node, error) {
	n := &node{line: r.lines[0].number, fields: map[string]*node{}}
	for r.at(indent, false) {
		pair := yamlKey.FindStringSubmatch(r.lines[0].text)
		if pair == nil {
			return nil, r.refuse("is no key with a value")
		}
		if n.fields[pair[1]] != nil {
			return nil, r.refuse("is there twice")
		}
		value, err := r.value(indent, pair[2])
		if err != nil {
			return nil, err
		}
		n.fields[pair[1]] = value
	}
	return n, nil
}

// value is the rest of the line after its key, or the block below it.
func (r *yamlReader) value(indent int, rest string) (*node, error) {
	if rest != "" {
		return r.scalar(rest)
	}
	r.lines = r.lines[1:]
	return r.block(indent + 2)
}

func (r *yamlReader) sequence(indent int) (*node, error) {
	n := &node{line: r.lines[0].number, items: []*node{}}
	for r.at(indent, true) {
		rest := r.lines[0].text[2:]
		var item *node
		var err error
		if yamlKey.MatchString(rest) {
			r.lines[0].indent, r.lines[0].text = indent+2, rest
			item, err = r.mapping(indent + 2)
		} else {
			item, err = r.scalar(rest)
		}
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	return n, nil
}

func (r *yamlReader) scalar(text string) (*node, error) {
	n := &node{line: r.lines[0].number, scalar: text}
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		n.scalar, n.quoted = strings.TrimSuffix(inner, `"`), true
		if n.scalar == inner || strings.ContainsAny(n.scalar, `"\`) {
			return nil, r.refuse("is not quoted well")
		}
	} else if yamlIndicator.MatchString(text) || strings.Contains(text, ": ") || strings.Contains(text, " #") || strings.HasSuffix(text, ":") {
		return nil, r.refuse("is no plain value")
	}
	r.lines = r.lines[1:]
	return n, nil
}

// in is the value at a path, "spec.rules.0.action"; nil if there is none.
func (n *node) in(path string) *node {
	for name := range strings.SplitSeq(path, ".") {
		if n == nil {
			return nil
		}
		if i, err := strconv.Atoi(name); err != nil {
			n = n.fields[name]
		} else if i < len(n.items) {
			n = n.items[i]
		} else {
			n = nil
		}
	}
	return n
}
