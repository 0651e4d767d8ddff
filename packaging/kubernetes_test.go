package packaging_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	cronJobFile = "kubernetes/cronjob.yaml"
	podSpec     = "spec.jobTemplate.spec.template.spec."
	container   = podSpec + "containers.0."
)

func cronJob(t *testing.T) *node {
	t.Helper()
	n, err := readCronJob(t, file(t, cronJobFile))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// must is the value at a path that the manifest must have.
func must(t *testing.T, job *node, path string) *node {
	t.Helper()
	n := job.in(path)
	if n == nil {
		t.Fatalf("%s is missing", path)
	}
	return n
}

func number(t *testing.T, job *node, path string) int {
	t.Helper()
	i, err := strconv.Atoi(must(t, job, path).scalar)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// command is what the container runs.
func command(job *node) (words []string) {
	for _, field := range []string{"command", "args"} {
		if n := job.in(container + field); n != nil {
			for _, word := range n.items {
				words = append(words, word.scalar)
			}
		}
	}
	return words
}

// flag is the value of an option of the container's command.
func flag(t *testing.T, job *node, option string) string {
	t.Helper()
	for _, word := range command(job) {
		if value, is := strings.CutPrefix(word, option); is {
			return value
		}
	}
	t.Fatalf("the command has no %s", option)
	return ""
}

func TestThePodsRunACommandWeKnow(t *testing.T) {
	job := cronJob(t)
	if err := checkCommand(options(t), command(job)); err != nil {
		t.Error(err)
	}
	if err := checkSchedule(must(t, job, "spec.schedule").scalar); err != nil {
		t.Error(err)
	}
}

// checkSchedule reads the five fields as cron does; Kubernetes took them from cron.
func checkSchedule(schedule string) error {
	_, err := readCronLine(schedule + " www-data " + binary)
	return err
}

func TestEveryShardHasItsPod(t *testing.T) {
	job := cronJob(t)
	completions := number(t, job, "spec.jobTemplate.spec.completions")
	if shard, want := flag(t, job, "--shard="), fmt.Sprintf("$(JOB_COMPLETION_INDEX)/%d", completions); shard != want {
		t.Errorf("--shard=%s, and %d completions", shard, completions)
	}
	if must(t, job, "spec.jobTemplate.spec.completionMode").scalar != "Indexed" {
		t.Error("only an Indexed Job numbers its pods")
	}
}

func TestARetryOfAPodRenewsNobodyTwice(t *testing.T) {
	job := cronJob(t)
	all := time.Duration(number(t, job, "spec.jobTemplate.spec.activeDeadlineSeconds")) * time.Second
	tries := time.Duration(number(t, job, "spec.jobTemplate.spec.backoffLimitPerIndex") + 1)
	if deadline := span(t, flag(t, job, "--deadline=")); tries*deadline >= all {
		t.Errorf("%d runs of %v do not fit into the %v of the Job", tries, deadline, all)
	}
	flag(t, job, "--if-due")
}

func TestThePodIsLockedDown(t *testing.T) {
	job := cronJob(t)
	for path, want := range map[string]string{
		"spec.concurrencyPolicy":                               "Forbid",
		podSpec + "automountServiceAccountToken":               "false",
		podSpec + "securityContext.runAsNonRoot":               "true",
		podSpec + "securityContext.seccompProfile.type":        "RuntimeDefault",
		container + "securityContext.allowPrivilegeEscalation": "false",
		container + "securityContext.readOnlyRootFilesystem":   "true",
		container + "securityContext.capabilities.drop.0":      "ALL",
	} {
		if got := must(t, job, path).scalar; got != want {
			t.Errorf("%s is %s, not %s", path, got, want)
		}
	}
	for _, limit := range []string{"requests.cpu", "requests.memory", "limits.cpu", "limits.memory"} {
		must(t, job, container+"resources."+limit)
	}
}

func TestEveryMountHasItsVolume(t *testing.T) {
	job := cronJob(t)
	volumes := map[string]bool{}
	for _, volume := range must(t, job, podSpec+"volumes").items {
		if name := volume.in("name").scalar; volumes[name] || len(volume.fields) != 2 {
			t.Errorf("volume %s is there twice, or of no kind or several", name)
		} else {
			volumes[name] = true
		}
	}
	for _, mount := range must(t, job, container+"volumeMounts").items {
		if name := mount.in("name").scalar; !volumes[name] {
			t.Errorf("there is no volume %s", name)
		}
	}
}

func TestExitCodesAreTheContainersOwn(t *testing.T) {
	job := cronJob(t)
	for _, rule := range must(t, job, "spec.jobTemplate.spec.podFailurePolicy.rules").items {
		if name := rule.in("onExitCodes.containerName"); name != nil && name.scalar != must(t, job, container+"name").scalar {
			t.Errorf("there is no container %s", name.scalar)
		}
	}
}
