package packaging_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// readYAML reads the one document of a file into value. A key that is there twice is an error, and
// so is a field that a struct does not have. The reader is the one of kubectl (sigs.k8s.io/yaml):
// newer ones take an unquoted yes for a string, and kubectl takes it for true.
func readYAML(text string, value any) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.SetStrict(true)
	if err := decoder.Decode(value); err != nil {
		return err
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("there is more than one document (%w)", err)
	}
	return nil
}

// asJSON is a value that YAML was read into, as JSON has it: the keys are strings.
func asJSON(value any) any {
	switch v := value.(type) {
	case map[any]any:
		object := map[string]any{}
		for key, field := range v {
			object[fmt.Sprint(key)] = asJSON(field)
		}
		return object
	case []any:
		for i, item := range v {
			v[i] = asJSON(item)
		}
	}
	return value
}

// in is the value at a path, "spec.rules.0.action"; nil if there is none.
func in(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch parent := value.(type) {
		case map[string]any:
			value = parent[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(parent) {
				return nil
			}
			value = parent[i]
		default:
			return nil
		}
	}
	return value
}
