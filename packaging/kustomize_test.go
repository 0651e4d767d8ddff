package packaging_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheImageIsTheReleasedOne(t *testing.T) {
	if got, want := must[string](t, cronJob(t), container+"image"), "renew_mnetkeys:"+release(t); got != want {
		t.Errorf("the image is %s, and %s is released", got, want)
	}
}

// kustomization has the fields of kustomize that ours may have; another one is an error.
type kustomization struct {
	APIVersion         string `yaml:"apiVersion"`
	Kind               string
	Resources          []string
	ConfigMapGenerator []generator `yaml:"configMapGenerator"`
}

type generator struct {
	Name  string
	Files []string
}

// The pods read the file of options where the command looks for it, and its lines are options.
func TestThePodsReadOptionsWeKnow(t *testing.T) {
	var built kustomization
	if err := readYAML(file(t, "kubernetes/kustomization.yaml"), &built); err != nil {
		t.Fatal(err)
	}
	const generated = "renew-mnetkeys-options"
	want := kustomization{"kustomize.config.k8s.io/v1beta1", "Kustomization", []string{"cronjob.yaml"}, []generator{{generated, []string{"renew_mnetkeys.conf"}}}}
	if diff := cmp.Diff(want, built); diff != "" {
		t.Errorf("kustomization.yaml is another: %s", diff)
	}
	job := cronJob(t)
	mounts, volumes := map[string]string{}, map[string]string{}
	for _, m := range must[[]any](t, job, container+"volumeMounts") {
		mounts[must[string](t, m, "mountPath")] = must[string](t, m, "name")
	}
	for _, v := range must[[]any](t, job, podSpec+"volumes") {
		if in(v, "configMap") != nil {
			volumes[must[string](t, v, "name")] = must[string](t, v, "configMap.name")
		}
	}
	if volumes[mounts[optionsFile]] != generated {
		t.Errorf("%s is of %q, and kustomize makes %q", optionsFile, volumes[mounts[optionsFile]], generated)
	}
	words := []string{binary}
	for line := range strings.Lines(file(t, "kubernetes/renew_mnetkeys.conf")) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), " = "); is && !strings.HasPrefix(line, "#") {
			words = append(words, "--"+name+"="+value)
			if path, is := strings.CutPrefix(value, "dbpass=@"); is && mounts[path[:strings.LastIndex(path, "/")]] != "database" {
				t.Errorf("%s is not mounted", path)
			}
		}
	}
	if err := checkCommand(options(t), words); err != nil || len(words) != 3 {
		t.Errorf("%q: %v", words, err)
	}
}

func TestKustomizeBuildsTheBase(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not installed, and Debian has none")
	}
	said, err := exec.CommandContext(t.Context(), kubectl, "kustomize", "kubernetes").Output()
	if err != nil || !strings.Contains(string(said), "kind: ConfigMap") || strings.Contains(string(said), "name: renew-mnetkeys-options\n") {
		t.Errorf("the generated name is not in both places: %v\n%s", err, said)
	}
}
