package packaging_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// namesItsParts wants every module that go.mod requires for the command itself, and that whatever
// depends on something depends on what is listed.
func namesItsParts(t *testing.T, path, arch string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct {
				Ref string `json:"bom-ref"`
			}
		}
		Components []struct {
			Ref           string `json:"bom-ref"`
			Name, Version string
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.5" {
		t.Errorf("%s %s", bom.BOMFormat, bom.SpecVersion)
	}
	versions, refs := map[string]string{}, map[string]bool{bom.Metadata.Component.Ref: true}
	for _, c := range bom.Components {
		versions[c.Name], refs[c.Ref] = c.Version, true
	}
	if len(refs) != len(bom.Components)+1 || versions["std"] == "" {
		t.Errorf("components that are one, or no Go: %s", text)
	}
	for module, version := range required(t, arch) {
		if versions[module] != version {
			t.Errorf("%s is linked as %s, and listed as %q", module, version, versions[module])
		}
	}
	direct := 0
	for _, d := range bom.Dependencies {
		if d.Ref == bom.Metadata.Component.Ref {
			direct = len(d.DependsOn)
		}
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !refs[ref] {
				t.Errorf("%q is no component", ref)
			}
		}
	}
	if direct < 5 || direct >= len(bom.Components) {
		t.Errorf("of %d components, %d are direct", len(bom.Components), direct)
	}
}

// required are the versions in go.mod of the modules that the command imports.
func required(t *testing.T, arch string) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "..")
	if arch == "armv7" {
		arch = "arm"
	}
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-tags=urfave_cli_no_docs")
	said, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for line := range strings.Lines(string(said)) {
		if module, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			versions[module] = version
		}
	}
	if versions["github.com/urfave/cli/v2"] == "" {
		t.Fatalf("go list does not know what the command imports: %s", said)
	}
	return versions
}
