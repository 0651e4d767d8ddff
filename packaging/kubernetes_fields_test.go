package packaging_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// cronJobFields are the fields of the Kubernetes API that the manifest may have: batch/v1 CronJob
// and Job, core/v1 Pod, as of Kubernetes 1.33. Each is followed by its type, or its values, and by
// whether the API requires it. One item of a sequence describes all of them.
const cronJobFields = `
apiVersion: batch/v1, required
kind: CronJob, required
metadata:
  name: name, required
  labels: labels
spec:
  schedule: string, required
  timeZone: string
  concurrencyPolicy: Allow|Forbid|Replace
  startingDeadlineSeconds: int
  successfulJobsHistoryLimit: int
  failedJobsHistoryLimit: int
  jobTemplate:
    metadata:
      labels: labels
    spec:
      completionMode: Indexed|NonIndexed
      completions: int
      parallelism: int
      backoffLimitPerIndex: int
      activeDeadlineSeconds: int
      podFailurePolicy:
        rules:
          - action: Count|FailIndex|FailJob|Ignore, required
            onPodConditions:
              - type: string, required
                status: string, required
            onExitCodes:
              containerName: name
              operator: In|NotIn, required
              values:
                - int
      template:
        metadata:
          labels: labels
        spec:
          restartPolicy: Never|OnFailure, required
          automountServiceAccountToken: bool
          enableServiceLinks: bool
          terminationGracePeriodSeconds: int
          securityContext:
            runAsNonRoot: bool
            runAsUser: int
            runAsGroup: int
            seccompProfile:
              type: RuntimeDefault|Localhost|Unconfined, required
          containers:
            - name: name, required
              image: string, required
              command:
                - string
              args:
                - string
              securityContext:
                allowPrivilegeEscalation: bool
                readOnlyRootFilesystem: bool
                capabilities:
                  drop:
                    - string
              resources:
                requests:
                  cpu: quantity
                  memory: quantity
                limits:
                  cpu: quantity
                  memory: quantity
              volumeMounts:
                - name: name, required
                  mountPath: string, required
                  subPath: string
                  readOnly: bool
          volumes:
            - name: name, required
              secret:
                secretName: name, required
                defaultMode: mode
              configMap:
                name: name, required
              persistentVolumeClaim:
                claimName: name, required
`

// scalarTypes are the types of cronJobFields, by the form of their values. A scalar is a string
// unless YAML reads it as something else.
var scalarTypes = map[string]*regexp.Regexp{
	"int":      regexp.MustCompile(`^(0|[1-9]\d*)$`),
	"bool":     regexp.MustCompile(`^(true|false)$`),
	"mode":     regexp.MustCompile(`^0[0-7]{3}$`),
	"quantity": regexp.MustCompile(`^[1-9]\d*(m|Ki|Mi|Gi)?$`),
	"name":     regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`),
}

// notString is what YAML 1.1 reads as a number, a truth value, null or a time if it is not quoted.
var notString = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|~|[-+.]?[0-9][0-9_.,:eExXoO+-]*|[-+]?\.(inf|nan)|0x[0-9a-f]+)$`)

func conforms(n, table *node) error {
	switch {
	case table.fields != nil && n.fields != nil:
		return fieldsConform(n, table)
	case table.items != nil && n.items != nil:
		for _, item := range n.items {
			if err := conforms(item, table.items[0]); err != nil {
				return err
			}
		}
		return nil
	case table.fields != nil || table.items != nil:
		return fmt.Errorf("line %d: a mapping, a sequence or a single value, and should be another of these", n.line)
	}
	kind, _, _ := strings.Cut(table.scalar, ",")
	if kind == "labels" && n.fields != nil {
		for _, label := range n.fields {
			if err := conforms(label, &node{scalar: "string"}); err != nil {
				return err
			}
		}
		return nil
	}
	if n.fields != nil || n.items != nil || !scalarConforms(n, kind) {
		return fmt.Errorf("line %d: %q is no %s", n.line, n.scalar, kind)
	}
	return nil
}

func fieldsConform(n, table *node) error {
	for name, value := range n.fields {
		allowed := table.fields[name]
		if allowed == nil {
			return fmt.Errorf("line %d: the API has no field %s there", value.line, name)
		}
		if err := conforms(value, allowed); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, allowed := range table.fields {
		if n.fields[name] == nil && strings.HasSuffix(allowed.scalar, ", required") {
			return fmt.Errorf("line %d: %s is missing", n.line, name)
		}
	}
	return nil
}

func scalarConforms(n *node, kind string) bool {
	text := !notString.MatchString(n.scalar) || n.quoted
	pattern := scalarTypes[kind]
	switch {
	case kind == "string":
		return text && n.scalar != ""
	case kind == "int", kind == "bool", kind == "mode":
		return !n.quoted && pattern.MatchString(n.scalar)
	case pattern != nil:
		return text && pattern.MatchString(n.scalar)
	}
	return text && slices.Contains(strings.Split(kind, "|"), n.scalar)
}

// readCronJob reads a manifest and compares it with cronJobFields.
func readCronJob(t *testing.T, text string) (*node, error) {
	t.Helper()
	table, err := readYAML(cronJobFields)
	if err != nil {
		t.Fatalf("the table of fields: %v", err)
	}
	n, err := readYAML(text)
	if err != nil {
		return nil, err
	}
	return n, conforms(n, table)
}

func TestAManifestIsRefused(t *testing.T) {
	text := file(t, cronJobFile)
	for name, change := range map[string][2]string{
		"with a misspelt field":                 {"  concurrencyPolicy:", "  concurencyPolicy:"},
		"with a field in another's place":       {"          restartPolicy: Never", "          completions: 4"},
		"with a field of the Pod in the Job":    {"      parallelism: 4", "      restartPolicy: Never"},
		"with a field given twice":              {"      parallelism: 4", "      completions: 4"},
		"with a value the API does not know":    {"Policy: Forbid", "Policy: Forbidden"},
		"with a number for a string":            {`cpu: "2"`, "cpu: 2"},
		"with a truth value for a string":       {`status: "True"`, "status: True"},
		"with a string for a number":            {"runAsUser: 33", `runAsUser: "33"`},
		"with yes for true":                     {"runAsNonRoot: true", "runAsNonRoot: yes"},
		"with a decimal mode":                   {"-database\n                defaultMode: 0444", "-database\n                defaultMode: 444"},
		"with a name that is no DNS label":      {"claimName: moodledata", "claimName: moodle_data"},
		"without a field the API insists on":    {"              image: renew_mnetkeys:1.0.0\n", ""},
		"with a single value for a sequence":    {"                  drop:\n                    - ALL", "                  drop: ALL"},
		"with a mapping for a sequence":         {"            - name: config\n              secret:", "              secret:"},
		"with a password in the environment":    {"              resources:\n", "              env:\n                - name: DB_PASS\n              resources:\n"},
		"with a tab":                            {"spec:\n  # Every", "spec:\n\t# Once"},
		"with one space too many":               {"  timeZone:", "   timeZone:"},
		"with a key without its value":          {"  timeZone: Etc/UTC", "  timeZone:"},
		"with a sequence in brackets":           {"                    - ALL", "                    - [ALL]"},
		"with a quotation mark that stays open": {`cpu: "2"`, `cpu: "2`},
		"with a second document":                {"apiVersion: batch/v1", "---\napiVersion: batch/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readCronJob(t, broken(t, text, change[0], change[1])); err == nil {
				t.Error("it was read")
			}
		})
	}
}
