package cmdline

import (
	"strings"
	"testing"
)

func TestAMistypedCommandLineIsAnsweredWithWhatIsMeant(t *testing.T) {
	for typed, want := range map[string]string{
		"--hots=x":                   "unknown option --hots | did you mean --host?",
		"--dry_run":                  "unknown option --dry_run | did you mean --dry-run?",
		"-dry-rum":                   "unknown option --dry-rum | did you mean --dry-run?",
		"--Dry-Run":                  "unknown option --Dry-Run | did you mean --dry-run?",
		"--dryrun=true":              "unknown option --dryrun | did you mean --dry-run?",
		"--dry":                      "unknown option --dry | did you mean --dry-run?",
		"--hlep":                     "unknown option --hlep | did you mean --help?",
		"-M":                         "unknown option -M | did you mean -m?",
		"-nq":                        "unknown option -nq | write letters separately: -n -q",
		"--help=x":                   "the option help takes no value | leave out = and the value",
		"--version=x":                "the option version takes no value | leave out = and the value",
		"---host=x":                  "malformed option ---host | did you mean --host?",
		"--nonsense":                 "unknown option --nonsense | see renew_mnetkeys --help",
		"-x":                         "unknown option -x | see renew_mnetkeys --help",
		"push --nonsense":            "unknown option --nonsense | see renew_mnetkeys push --help",
		"--yes":                      "renew_mnetkeys has no option --yes | --yes is an option of rollback and move",
		"-y":                         "renew_mnetkeys has no option -y | -y is an option of rollback and move",
		"verify --dry-run":           "renew_mnetkeys verify has no option --dry-run | --dry-run is an option of renew, push, rollback and move",
		"move":                       "renew_mnetkeys move needs --from | write renew_mnetkeys move --from=URL: the wwwroot that the site had before it moved",
		"move --from=old.example":    `--from must be a wwwroot such as https://tenant.example.org/moodle, not "old.example" | write the wwwroot that the site had before it moved: the new one is in config.php already`,
		"move --from=http://a --all": "renew_mnetkeys move has no option --all | move works on one site at a time: select it with --host",
		"move --from=http://a -m":    "renew_mnetkeys move has no option -m | move works on one site at a time: select it with --host",
		"--from=http://a":            "renew_mnetkeys has no option --from | --from is an option of move",
		"push --if-du":               "unknown option --if-du | did you mean --if-due, an option of renew?",
		"--host":                     "--host must have a value | write --host=URL",
		"-H":                         "-H must have a value | write --host=URL",
		"verfy":                      `unknown command "verfy" | did you mean: renew_mnetkeys verify`,
		"Status":                     `unknown command "Status" | did you mean: renew_mnetkeys status`,
		"hepl":                       `unknown command "hepl" | did you mean: renew_mnetkeys help`,
		"live":                       `unexpected word "live" | --live is an option of status`,
		"warning=3d":                 `unexpected word "warning=3d" | --warning is an option of check`,
		"reboot":                     `unknown command "reboot" | the commands are push, rollback, move, verify, status, check, doctor, generate, help and version`,
		"renew":                      `unexpected word "renew" | leave the word out: without a command the key is renewed`,
		"--all push":                 `unexpected word "push" | the command comes first: renew_mnetkeys push …`,
		"host=x":                     `unexpected word "host=x" | did you mean --host?`,
		"status push":                `unexpected word "push" | leave the word out; see renew_mnetkeys status --help`,
		"push verify":                `unexpected word "verify" | leave the word out; see renew_mnetkeys push --help`,
		"push extra --all":           `unexpected word "extra" | leave the word out: renew_mnetkeys push … --all`,
		"push https://a -q":          `unexpected word "https://a" | renew_mnetkeys push --host=https://a -q`,
	} {
		if _, err := optionsOf(t, strings.Fields(typed)...); err == nil || err.Error()+" | "+adviceOf(err) != want {
			t.Errorf("%s: %v | %s", typed, err, adviceOf(err))
		}
	}
	for typed, want := range map[string]string{
		"":         "missing argument: man, bash, zsh, fish or conf | usage: " + generateUsage,
		"zhs":      `unknown argument "zhs" | usage: ` + generateUsage,
		"mann":     `unknown argument "mann" | did you mean: renew_mnetkeys generate man`,
		"bash zsh": `unexpected word "zsh" | usage: ` + generateUsage,
	} {
		if _, err := Generate(strings.Fields(typed)); err == nil || err.Error()+" | "+adviceOf(err) != want {
			t.Errorf("generate %s: %v | %s", typed, err, adviceOf(err))
		}
	}
}

func TestAMistypedVariableIsAnsweredWithTheOneThatIsMeant(t *testing.T) {
	for name, want := range map[string]string{
		"MNETKEYS_DRYRUN":   "did you mean MNETKEYS_DRY_RUN?",
		"MNETKEYS_HOSTS":    "did you mean MNETKEYS_HOST?",
		"MNETKEYS_NONSENSE": "see renew_mnetkeys --help: MNETKEYS_DRY_RUN is --dry-run",
		"MNETKEYS_":         "see renew_mnetkeys --help: MNETKEYS_DRY_RUN is --dry-run",
	} {
		err := settingsOf(Renew).checkVariables([]string{"PATH=/bin", "MNETKEYS_HOST=x", testVariables + "X=1", name + "=1"})
		if err == nil || err.Error() != "unknown environment variable "+name || adviceOf(err) != want {
			t.Errorf("%s: %v | %s", name, err, adviceOf(err))
		}
	}
}

func TestAMistypedLineOfAFileIsAnsweredWithTheOneThatIsMeant(t *testing.T) {
	for line, want := range map[string]string{
		"tmeout = 3s":     "did you mean timeout?",
		"Dry_Run":         "did you mean dry-run?",
		"H = https://a":   "did you mean host?",
		"options = /x":    "a file of options cannot name another one",
		"nonsense = here": "write name = value, with the long names of renew_mnetkeys --help, without dashes",
	} {
		if _, err := optionsOf(t, "--options="+optionFile(t, line)); adviceOf(err) != want {
			t.Errorf("%s: %v | %s", line, err, adviceOf(err))
		}
	}
}
