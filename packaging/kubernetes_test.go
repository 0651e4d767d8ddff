package packaging_test

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/rotate"
)

const (
	cronJobFile = "kubernetes/cronjob.yaml"
	podSpec     = "spec.jobTemplate.spec.template.spec."
	container   = podSpec + "containers.0."
)

var (
	nameLine = regexp.MustCompile(`(?m)^[ -]*(?:n|secretN|claimN|containerN)ame: (.*)$`)
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func cronJob(t *testing.T) any {
	t.Helper()
	job, err := readCronJob(t, file(t, cronJobFile))
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// must is the value at a path, which has to be there and of that type.
func must[T any](t *testing.T, value any, path string) T {
	t.Helper()
	found, is := in(value, path).(T)
	if !is {
		t.Fatalf("%s is missing or no %T: %v", path, found, in(value, path))
	}
	return found
}

// command is what the container runs.
func command(t *testing.T, job any) (words []string) {
	t.Helper()
	for _, field := range []string{"command", "args"} {
		for _, word := range must[[]any](t, job, container+field) {
			words = append(words, word.(string))
		}
	}
	return words
}

// flag is the value of an option of the container's command.
func flag(t *testing.T, job any, option string) string {
	t.Helper()
	for _, word := range command(t, job) {
		if value, is := strings.CutPrefix(word, option); is {
			return value
		}
	}
	t.Fatalf("the command has no %s", option)
	return ""
}

func TestThePodsRunACommandWeKnow(t *testing.T) {
	job := cronJob(t)
	if err := checkCommand(options(t), command(t, job)); err != nil {
		t.Error(err)
	}
	if err := checkSchedule(must[string](t, job, "spec.schedule")); err != nil {
		t.Error(err)
	}
}

// checkSchedule reads the five fields as cron does; Kubernetes took them from cron.
func checkSchedule(schedule string) error {
	_, err := readCronLine(schedule + " www-data " + guard + binary)
	return err
}

func TestEveryShardHasItsPod(t *testing.T) {
	job := cronJob(t)
	completions := must[int](t, job, "spec.jobTemplate.spec.completions")
	if shard, want := flag(t, job, "--shard="), fmt.Sprintf("$(JOB_COMPLETION_INDEX)/%d", completions); shard != want {
		t.Errorf("--shard=%s, and %d completions", shard, completions)
	}
}

func TestARetryOfAPodRenewsNobodyTwice(t *testing.T) {
	job := cronJob(t)
	all := time.Duration(must[int](t, job, "spec.jobTemplate.spec.activeDeadlineSeconds")) * time.Second
	tries := time.Duration(must[int](t, job, "spec.jobTemplate.spec.backoffLimitPerIndex") + 1)
	if deadline := span(t, flag(t, job, "--deadline=")); tries*deadline >= all {
		t.Errorf("%d runs of %v do not fit into the %v of the Job", tries, deadline, all)
	}
	flag(t, job, "--if-due")
}

func TestThePodIsLockedDown(t *testing.T) {
	job := cronJob(t)
	for path, want := range map[string]any{
		podSpec + "automountServiceAccountToken": false,
		podSpec + "enableServiceLinks":           false,
		podSpec + "securityContext": map[string]any{
			"runAsNonRoot": true, "runAsUser": 33, "runAsGroup": 33, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
		},
		container + "securityContext": map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
		},
		// Passwords are in files.
		container + "env":     nil,
		container + "envFrom": nil,
		// What else can be of the node's, or run beside it.
		podSpec + "hostNetwork":    nil,
		podSpec + "hostPID":        nil,
		podSpec + "hostIPC":        nil,
		podSpec + "initContainers": nil,
		podSpec + "containers.1":   nil,
	} {
		if diff := cmp.Diff(want, in(job, path)); diff != "" {
			t.Errorf("%s is another: %s", path, diff)
		}
	}
	for _, limit := range []string{"requests.cpu", "requests.memory", "limits.cpu", "limits.memory"} {
		must[string](t, job, container+"resources."+limit)
	}
}

// The schema has these words as strings; what they may be is known to the API server alone.
func TestTheManifestUsesTheWordsOfTheAPI(t *testing.T) {
	job := cronJob(t)
	const rules = "spec.jobTemplate.spec.podFailurePolicy.rules."
	for path, want := range map[string]string{
		"apiVersion":                           "batch/v1",
		"kind":                                 "CronJob",
		"spec.concurrencyPolicy":               "Forbid",
		podSpec + "restartPolicy":              "Never",
		rules + "0.action":                     "Ignore",
		rules + "0.onPodConditions.0.type":     "DisruptionTarget",
		rules + "0.onPodConditions.0.status":   "True",
		rules + "1.action":                     "FailIndex",
		rules + "1.onExitCodes.operator":       "In",
		"spec.jobTemplate.spec.completionMode": "Indexed", // no other Job numbers its pods
	} {
		if got := must[string](t, job, path); got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
	names := nameLine.FindAllStringSubmatch(file(t, cronJobFile), -1)
	if must[string](t, job, "metadata.name"); len(names) < 10 {
		t.Errorf("only %d names", len(names))
	}
	for _, name := range names {
		if !dnsLabel.MatchString(name[1]) {
			t.Errorf("%q is no DNS label", name[1])
		}
	}
}

func TestEveryMountHasItsVolume(t *testing.T) {
	job := cronJob(t)
	volumes := map[string]bool{}
	for _, volume := range must[[]any](t, job, podSpec+"volumes") {
		name := must[string](t, volume, "name")
		if volumes[name] || len(volume.(map[string]any)) != 2 || in(volume, "hostPath") != nil {
			t.Errorf("volume %s is there twice, of no kind or several, or the node's", name)
		}
		if in(volume, "secret") != nil && in(volume, "secret.defaultMode") != 0o444 {
			t.Errorf("the files of %s are not readable for the user of the pod, or for more", name)
		}
		volumes[name] = true
	}
	for _, mount := range must[[]any](t, job, container+"volumeMounts") {
		if name := must[string](t, mount, "name"); !volumes[name] {
			t.Errorf("there is no volume %s", name)
		}
		if file := path.Base(must[string](t, mount, "mountPath")); in(mount, "subPath") != nil && in(mount, "subPath") != file {
			t.Errorf("%s is another file", file)
		}
	}
}

func TestExitCodesAreTheContainersOwn(t *testing.T) {
	job := cronJob(t)
	final := must[[]any](t, job, "spec.jobTemplate.spec.podFailurePolicy.rules.1.onExitCodes.values")
	if diff := cmp.Diff([]any{rotate.ExitUsage, rotate.ExitLocalSite}, final); diff != "" {
		t.Errorf("other exit codes are not tried again: %s", diff)
	}
	for _, rule := range must[[]any](t, job, "spec.jobTemplate.spec.podFailurePolicy.rules") {
		if name := in(rule, "onExitCodes.containerName"); name != nil && name != in(job, container+"name") {
			t.Errorf("there is no container %s", name)
		}
	}
}
