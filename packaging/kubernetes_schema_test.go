package packaging_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// apiFile is the API's own description of a CronJob; the README.md beside it says from where.
const apiFile = "../testdata/kubernetes/cronjob.json"

// quantity is the form of 250m and 64Mi. The API describes it in words alone (apimachinery,
// pkg/api/resource/quantity.go).
const quantity = `^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$`

// cronJobSchema is strict, as kubectl is: an unknown field is an error.
var cronJobSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := os.Open(apiFile)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	api, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		return nil, err
	}
	for name, schema := range in(api, "components.schemas").(map[string]any) {
		schema := schema.(map[string]any)
		if schema["properties"] != nil {
			schema["additionalProperties"] = false
		}
		if strings.HasSuffix(name, ".resource.Quantity") {
			schema["pattern"] = quantity
		}
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(apiFile, api); err != nil {
		return nil, err
	}
	return compiler.Compile(apiFile + "#/components/schemas/io.k8s.api.batch.v1.CronJob")
})

// readCronJob reads a manifest and checks it against the API's schema.
func readCronJob(t *testing.T, text string) (any, error) {
	t.Helper()
	schema, err := cronJobSchema()
	if err != nil {
		t.Fatal(err)
	}
	var manifest any
	if err := readYAML(text, &manifest); err != nil {
		return nil, err
	}
	manifest = asJSON(manifest)
	return manifest, schema.Validate(manifest)
}

func TestAManifestIsRefused(t *testing.T) {
	text := file(t, cronJobFile)
	for name, c := range map[string]struct{ right, wrong, says string }{
		"with a misspelt field":                 {"  concurrencyPolicy:", "  concurencyPolicy:", "'concurencyPolicy' not allowed"},
		"with a field in another's place":       {"          restartPolicy: Never", "          completions: 4", "'completions' not allowed"},
		"with a field of the Pod in the Job":    {"      parallelism: 4", "      restartPolicy: Never", "'restartPolicy' not allowed"},
		"with a field given twice":              {"      parallelism: 4", "      completions: 4", `"completions" already set`},
		"with a truth value for a string":       {`status: "True"`, "status: True", "got boolean, want string"},
		"with yes for a string":                 {`status: "True"`, "status: yes", "got boolean, want string"},
		"with a number for a string":            {"claimName: moodledata", "claimName: 33", "got number, want string"},
		"with a string for a number":            {"runAsUser: 33", `runAsUser: "33"`, "got string, want integer"},
		"with a fraction for a whole number":    {"runAsUser: 33", "runAsUser: 33.5", "got number, want integer"},
		"with a string for a truth value":       {"runAsNonRoot: true", `runAsNonRoot: "true"`, "got string, want boolean"},
		"with a quantity that is none":          {"cpu: 250m", "cpu: 250 m", "does not match pattern"},
		"with a truth value for a quantity":     {"cpu: 250m", "cpu: true", "oneOf"},
		"without a field the API insists on":    {"  schedule: \"17 3 * * *\"\n", "", "missing property 'schedule'"},
		"without one far down":                  {"                claimName: moodledata", "                readOnly: true", "missing property 'claimName'"},
		"with a single value for a sequence":    {"                  drop:\n                    - ALL", "                  drop: ALL", "got string, want array"},
		"with a sequence for a single value":    {"                    - ALL", "                    - [ALL]", "got array, want string"},
		"with a mapping for a sequence":         {"            - name: config\n              secret:", "              secret:", "line"},
		"with a tab":                            {"spec:\n  # Every", "spec:\n\t# Once", "line"},
		"with one space too many":               {"  timeZone:", "   timeZone:", "line"},
		"with a key without its value":          {"  timeZone: Etc/UTC", "  timeZone:", "got null, want string"},
		"with a quotation mark that stays open": {`cpu: "2"`, `cpu: "2`, "line"},
		"with a second document":                {"spec:\n  # Every", "---\nspec:\n  # Every", "more than one document"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readCronJob(t, broken(t, text, c.right, c.wrong))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, which does not say %q", err, c.says)
			}
		})
	}
}

func TestAManifestMayHaveWhatTheAPIKnows(t *testing.T) {
	text := file(t, cronJobFile)
	for name, change := range map[string][2]string{
		"a number for a quantity":     {`cpu: "2"`, "cpu: 2"},
		"a fraction of one":           {`cpu: "2"`, "cpu: 1.5"},
		"a port by its number":        {"              resources:\n", "              livenessProbe: {tcpSocket: {port: 80}}\n              resources:\n"},
		"a port by its name":          {"              resources:\n", "              livenessProbe: {tcpSocket: {port: http}}\n              resources:\n"},
		"a field that ours leaves be": {"  timeZone:", "  suspend: true\n  timeZone:"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readCronJob(t, broken(t, text, change[0], change[1])); err != nil {
				t.Error(err)
			}
		})
	}
}
