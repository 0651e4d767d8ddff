package test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// reasonFamilies match the reasons that contain a number.
var reasonFamilies = regexp.MustCompile(`^(http_\d{3}|fault_-?\d+)$`)

// listedReasons is what a list of the reasons must name: every reason that belongs to no family,
// and the families.
func listedReasons(families ...string) []string {
	listed := families
	for _, row := range rotate.Reasons {
		if !reasonFamilies.MatchString(string(row.Code)) {
			listed = append(listed, string(row.Code))
		}
	}
	slices.Sort(listed)
	return listed
}

// sameReasons compares what a document lists with what it must list, and says what is missing and
// what is superfluous.
func sameReasons(t *testing.T, document string, listed, must []string) {
	t.Helper()
	for _, reason := range must {
		if !slices.Contains(listed, reason) {
			t.Errorf("%s lacks the reason %s", document, reason)
		}
	}
	for i, reason := range listed {
		if !slices.Contains(must, reason) || slices.Contains(listed[:i], reason) {
			t.Errorf("%s has %s, which is no reason, or twice", document, reason)
		}
	}
}

func TestEveryConstantOfAReasonHasOneRow(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), filepath.Join(testbed.Root(t), "rotate/reason.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var constants, rows []string
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Reason" {
			code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			constants = append(constants, code)
		}
		return true
	})
	for _, row := range rotate.Reasons {
		rows = append(rows, string(row.Code))
	}
	sameReasons(t, "the table of rotate/reason.go", rows, constants)
}

// A reason that is spelled out where it is used cannot be found.
func TestNoSourceButTheTableSpellsAReason(t *testing.T) {
	spelled := regexp.MustCompile(`(?:\bReason(?:: |\(| [!=]= )|\bfailed\()"\w+"|"(?:fault|http)_[\d%][^"]*"`)
	for _, dir := range []string{"rotate", "peers", "internal/output", "internal/report", "internal/metrics", "internal/run"} {
		files, err := filepath.Glob(filepath.Join(testbed.Root(t), dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, error %v", dir, len(files), err)
		}
		for _, file := range files {
			name := filepath.Join(dir, filepath.Base(file))
			if strings.HasSuffix(name, "_test.go") || name == "rotate/reason.go" {
				continue
			}
			if found := spelled.FindString(textOf(t, name)); found != "" {
				t.Errorf("%s spells a reason: %s", name, found)
			}
		}
	}
}

func TestTheSchemaTakesEveryReasonAndNoOther(t *testing.T) {
	var schema struct {
		Defs struct {
			Peer struct {
				Properties struct{ Reason struct{ Pattern string } }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(textOf(t, "docs/schema/renew_mnetkeys.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	pattern := schema.Defs.Peer.Properties.Reason.Pattern
	listed := strings.Split(strings.TrimSuffix(strings.TrimPrefix(pattern, "^("), ")?$"), "|")
	sameReasons(t, "the schema", listed, listedReasons("http_[1-9][0-9]{2}", "fault_-?[0-9]+"))
}

func TestTheDocumentListsEveryReason(t *testing.T) {
	_, list, _ := strings.Cut(textOf(t, "docs/json.md"), "\nReasons are stable words")
	list, _, _ = strings.Cut(list, "\n\n")
	var listed []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(list, -1) {
		listed = append(listed, m[1])
	}
	sameReasons(t, "the list of docs/json.md", listed, listedReasons("http_<status>", "fault_<code>"))
}

// make docs writes the table.
func TestTheGuideToRecoveryExplainsEveryReason(t *testing.T) {
	var table strings.Builder
	row := func(name string, reason rotate.Reason) {
		next := reason.NextStep(false)
		if pushed := reason.NextStep(true); pushed != next {
			next += ". After a push: " + pushed
		}
		cells := "| " + reason.Row().Means + " | " + next + " |\n"
		table.WriteString("| `" + name + "` " + strings.ReplaceAll(cells, "<", "&lt;"))
	}
	for _, r := range rotate.Reasons {
		row(string(r.Code), r.Code)
	}
	for _, family := range []struct {
		name string
		one  rotate.Reason
	}{
		{"http_3xx", rotate.HTTPReason(302)}, {"http_5xx", rotate.HTTPReason(500)},
		{"http_<status>", rotate.HTTPReason(404)}, {"fault_<code>", rotate.FaultReason(1)},
	} {
		row(family.name, family.one)
	}
	const head = "| reason | what is wrong | what to do |\n|---|---|---|\n"
	shows(t, "docs/recovery.md", head, table.String(), "\n")
}
