package packaging_test

import (
	"os/exec"
	"strings"
	"testing"
)

func TestTheImageIsTheReleasedOne(t *testing.T) {
	if got, want := must(t, cronJob(t), container+"image").scalar, "renew_mnetkeys:"+release(t); got != want {
		t.Errorf("the image is %s, and %s is released", got, want)
	}
}

// The pods read the file of options where the command looks for it, and its lines are options.
func TestThePodsReadOptionsWeKnow(t *testing.T) {
	n, err := readYAML(file(t, "kubernetes/kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if must(t, n, "resources.0").scalar != "cronjob.yaml" || must(t, n, "configMapGenerator.0.files.0").scalar != "renew_mnetkeys.conf" {
		t.Error("kustomization.yaml names other files")
	}
	job, generated := cronJob(t), must(t, n, "configMapGenerator.0.name").scalar
	mounts, volumes := map[string]string{}, map[string]string{}
	for _, m := range must(t, job, container+"volumeMounts").items {
		mounts[m.in("mountPath").scalar] = m.in("name").scalar
	}
	for _, v := range must(t, job, podSpec+"volumes").items {
		if name := v.in("configMap.name"); name != nil {
			volumes[v.in("name").scalar] = name.scalar
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
