package output

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// The report and the schema name the same fields: without this test, a field that only the schema
// has would not be noticed.
func TestTheSchemaNamesTheFieldsOfTheReport(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testbed.Root(t), "docs", "schema", "renew_mnetkeys.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]any
		Required   []string
	}
	var written struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		of     reflect.Type
		schema object
	}{
		"document":    {reflect.TypeFor[Document](), written.object},
		"tenant":      {reflect.TypeFor[rotate.TenantReport](), written.Defs["tenant"]},
		"certificate": {reflect.TypeFor[rotate.KeyReport](), written.Defs["certificate"]},
		"peer":        {reflect.TypeFor[rotate.PeerReport](), written.Defs["peer"]},
		"finding":     {reflect.TypeFor[rotate.Finding](), written.Defs["finding"]},
		"site":        {reflect.TypeFor[rotate.SiteReport](), written.Defs["site"]},
		"use":         {reflect.TypeFor[rotate.LinkUse](), written.Defs["use"]},
	} {
		var all, always []string
		for i := range c.of.NumField() {
			field, option, _ := strings.Cut(c.of.Field(i).Tag.Get("json"), ",")
			if field == "-" || !c.of.Field(i).IsExported() {
				continue
			}
			all = append(all, field)
			if option != "omitempty" || name == "certificate" { // but previous has its own type
				always = append(always, field)
			}
		}
		slices.Sort(all)
		slices.Sort(always)
		if diff := cmp.Diff(all, slices.Sorted(maps.Keys(c.schema.Properties))); diff != "" {
			t.Errorf("properties of %s: %s", name, diff)
		}
		if diff := cmp.Diff(always, slices.Sorted(slices.Values(c.schema.Required))); diff != "" {
			t.Errorf("required of %s: %s", name, diff)
		}
	}
}
