package output

import (
	"slices"
	"testing"
)

func TestAnAdviceIsWrittenAsItWasRead(t *testing.T) {
	for hint, want := range map[string][]command{
		"check whether the site is down":                           nil,
		"run it again, then look":                                  nil,
		"Then run: renew_mnetkeys push":                            {{line: "renew_mnetkeys push"}},
		"run: php admin/cli/purge_caches.php && renew_mnetkeys …":  {{line: purge}, {again: true}},
		"run: sudo -u www-data renew_mnetkeys … for real":          {{again: true, user: "www-data", change: forReal}},
		"the hint says run: x. Then run: renew_mnetkeys … --pull":  {{again: true, change: "--pull"}},
		"run: sudo -u www-data renew_mnetkeys push --host=https:/": {{line: "sudo -u www-data renew_mnetkeys push --host=https:/"}},
		"run: sudo -u www-data renew_mnetkeys push":                {{user: "www-data", line: "renew_mnetkeys push"}},
		"run: sudo -u www-data php x.php && renew_mnetkeys":        {{line: "sudo -u www-data php x.php"}, {line: "renew_mnetkeys"}},
	} {
		a := adviceOf(hint)
		if written := a.with(command.String); !slices.Equal(a.commands, want) || written != hint {
			t.Errorf("%s: %+v, written as %s", hint, a.commands, written)
		}
	}
}

// One run does for all tenants what changes no key.
func TestWhichCommandsAreAdvisedForAllTenants(t *testing.T) {
	for command, want := range map[string]bool{
		"renew_mnetkeys push":                        true,
		"renew_mnetkeys push --self-check=auto":      true,
		"renew_mnetkeys doctor":                      true,
		"renew_mnetkeys status":                      true,
		"renew_mnetkeys doctor --host=https://x.org": false, // of one site
		"renew_mnetkeys":                             false, // a renewal of all keys cures none of them
		"renew_mnetkeys --newkey":                    false,
		"renew_mnetkeys move --from=https://x.org":   false,
		"renew_mnetkeys …":                           false,
		purge:                                        false,
		purge + chain + "renew_mnetkeys push":        false,
		"chown www-data push":                        false,
	} {
		if got := adviceOf("run: " + command).forAll(); got != want {
			t.Errorf("%s: for all %v", command, got)
		}
	}
}
