package test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"renew_mnetkeys/rotate"
)

const schemaFile = "../docs/schema/renew_mnetkeys.schema.json"

var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	return compiler.Compile(schemaFile) // which checks it against the schema of schemas, too
})

// againstSchema returns the schema's objections to a JSON text.
func againstSchema(t testing.TB, text string) error {
	t.Helper()
	s, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("not one JSON document: %v\n%s", err, text)
	}
	return s.Validate(instance)
}

// ofSchema checks that a document follows the schema.
func ofSchema(t testing.TB, text string) {
	t.Helper()
	if err := againstSchema(t, text); err != nil {
		t.Errorf("%v\nin\n%s", err, text)
	}
}

func TestTheDocumentOfEveryCommandIsOfTheSchema(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 3, outsiders: 1})
	more := map[string][]string{"renew": {"--abandon-pending"}, "rollback": {"--yes"}}
	for _, cmd := range allCommands(t) {
		for which, tenants := range map[string]int{"--host=" + f.tenants[1].Wwwroot: 1, "--all": 2} {
			t.Run(cmd+" "+which, func(t *testing.T) {
				if !changes(cmd) {
					t.Parallel()
				}
				r := f.command(t, cmd, append(more[cmd], which, "--json")...)
				d := r.document(t) // which checks it against the schema
				if d.Command != cmd || len(d.Tenants) != tenants {
					t.Errorf("%s of %d tenants", d.Command, len(d.Tenants))
				}
				for _, tenant := range d.Tenants {
					if tenant.Error != "" || len(tenant.Peers) != 3 || cmd == "doctor" != (len(tenant.Findings) > 0) {
						t.Errorf("%+v\n%s", tenant, r.stderr)
					}
				}
			})
		}
	}
	t.Run("of one that fails", func(t *testing.T) {
		for _, which := range []string{"--all", "--host=" + f.tenants[1].Wwwroot} {
			r := run1(t, command(t, "verify", "--json", "--config=missing/config.php", which))
			if d := r.document(t); r.code != 2 || len(d.Tenants) != 1 || d.Tenants[0].Outcome != rotate.Failed {
				t.Errorf("%s: %+v", which, d)
			}
		}
	})
}

// command runs a command with the array's config.php and checks that no secret is shown.
func (v *vmoodle) command(t testing.TB, name string, args ...string) ran {
	t.Helper()
	before := v.secrets(t)
	words := append([]string{name, "--config=" + v.config}, args...)
	if name == "renew" {
		words = words[1:]
	}
	r := run1(t, command(t, words...))
	r.revealsNothing(t, before, v.secrets(t))
	return r
}

// goodDocument is a document of a command, with everything that it can contain.
func goodDocument(command string) string {
	const certificate = `{"sha256":"SHA","not_before":"2030-01-01T00:00:00Z","not_after":"2030-01-29T00:00:00Z"}`
	tenant, peer := "", ""
	switch command {
	case "status":
		tenant, peer = `,"archive":[`+certificate+`]`, `,"holds":"current","certificate":`+certificate
	case "doctor":
		tenant = `,"findings":[{"code":"own_rights","severity":"error","subject":"","message":"m","detail":"","next":"n","peers":["https://b.example"]}],"site":{"moodle":"4.5.6","php_web":"","php_command_line":"8.2.7","single_sign_on":"on","rc4":"yes"}`
		peer = `,"use":{"users":3,"sessions":0,"last_used":"2030-01-01T00:00:00Z"}`
	}
	return strings.ReplaceAll(`{"version":1,"command":"`+command+`","dry_run":false,"exit_code":0,"started":"2030-01-02T03:04:05Z","took_ms":7,"tenants":[
		{"wwwroot":"https://a.example/moodle","outcome":"kept","error":"","hint":"","self_check":"proven","history":1,"certificate":`+certificate+tenant+`,
		"peers":[{"wwwroot":"https://b.example","application":"moodle","outcome":"accepted","reason":"","detail":"","next":"","attempts":1,"took_ms":2`+peer+`}]}]}`,
		"SHA", strings.Repeat("0a", 32))
}

func TestTheSchemaRefusesWrongDocuments(t *testing.T) {
	for _, cmd := range allCommands(t) {
		if err := againstSchema(t, goodDocument(cmd)); err != nil {
			t.Fatalf("the good one of %s: %v", cmd, err)
		}
	}
	for name, c := range map[string]struct{ command, right, wrong string }{
		"a field that nobody knows":               {"renew", `"took_ms":7`, `"took_ms":7,"tookMs":7`},
		"one of a tenant":                         {"renew", `"history":1`, `"history":1,"warnings":[]`},
		"one of a peer":                           {"renew", `"attempts":1`, `"attempts":1,"key":""`},
		"a field less":                            {"renew", `"dry_run":false,`, ``},
		"one less of a peer":                      {"renew", `"attempts":1,`, ``},
		"another version":                         {"renew", `"version":1`, `"version":2`},
		"a command that is none":                  {"renew", `"renew"`, `"rotate"`},
		"an exit code that is none":               {"renew", `"exit_code":0`, `"exit_code":6`},
		"an exit code that only renewals have":    {"verify", `"exit_code":0`, `"exit_code":5`},
		"an exit code that check does not have":   {"check", `"exit_code":0`, `"exit_code":4`},
		"a dry run of what writes nothing":        {"status", `"dry_run":false`, `"dry_run":true`},
		"a time that is none":                     {"renew", `2030-01-02T03:04:05Z`, `yesterday`},
		"an outcome that is none":                 {"renew", `"kept"`, `"fine"`},
		"a failure without an error":              {"renew", `"kept"`, `"failed"`},
		"an outcome of a peer that is none":       {"renew", `"accepted"`, `"renewed"`},
		"a status that is none":                   {"renew", `"accepted","reason":""`, `"pending","reason":"http_5"`},
		"a sentence for a reason":                 {"renew", `"accepted","reason":""`, `"pending","reason":"it is down"`},
		"a peer that is pending for none":         {"renew", `"accepted"`, `"pending"`},
		"a peer that is proven for a reason":      {"renew", `"reason":""`, `"reason":"timeout"`},
		"a fingerprint with colons":               {"renew", strings.Repeat("0a", 32), strings.Repeat("0a:", 31) + "0a"},
		"a wwwroot with a trailing slash":         {"renew", `a.example/moodle`, `a.example/moodle/`},
		"null for a list":                         {"doctor", `["https://b.example"]`, `null`},
		"a certificate that is held, of renew":    {"renew", `"attempts":1`, `"attempts":1,"holds":"current"`},
		"a retired certificate, of doctor":        {"status", `"command":"status"`, `"command":"doctor"`},
		"the site, of status":                     {"doctor", `"command":"doctor"`, `"command":"status"`},
		"a state of single sign-on that is none":  {"doctor", `"single_sign_on":"on"`, `"single_sign_on":"enabled"`},
		"a negative number of users":              {"doctor", `"users":3`, `"users":-3`},
		"a finding of status":                     {"doctor", `"command":"doctor"`, `"command":"status"`},
		"another word for what a peer holds":      {"status", `"current"`, `"newest"`},
		"a severity that is none":                 {"doctor", `"error","subject`, `"bad","subject`},
		"a finding that leaves an operator alone": {"doctor", `"next":"n"`, `"next":""`},
		"a finding about nothing":                 {"doctor", `own_rights`, `rights`},
	} {
		t.Run(name, func(t *testing.T) {
			good := goodDocument(c.command)
			bad := strings.ReplaceAll(good, c.right, c.wrong)
			if bad == good {
				t.Fatal("it is the good one")
			}
			if err := againstSchema(t, bad); err == nil {
				t.Errorf("taken:\n%s", bad)
			}
		})
	}
}

func TestALogInJSONIsOneObjectALine(t *testing.T) {
	t.Parallel()
	f := newFleet(t, fleetOptions{tenants: 2, outsiders: 1})
	for name, c := range map[string]struct {
		args  []string
		code  int
		level string // of one line that says it
		says  string
	}{
		"of a renewal":              {[]string{"--host=" + f.tenants[1].Wwwroot, "--debug"}, 0, "debug", "stored the new key"},
		"of an array's":             {[]string{"--all", "--fresh=0s", "--debug"}, 0, "debug", "stored the new key"},
		"of one that fails":         {[]string{"--cfg=dbname=none"}, 1, "error", "database none"},
		"in silence":                {[]string{"--cfg=dbname=none", "--quiet"}, 1, "error", "database none"},
		"of an array's that fails":  {[]string{"--all", "--exclude=http://none.example"}, 2, "error", "matches no site"},
		"of a hook that fails":      {[]string{"--all", "--pre-hook=sh -c 'echo a; echo b; exit 1'"}, 1, "error", "a hook said"},
		"of one that has to wait":   {[]string{"--all", "--random-delay=1ms"}, 0, "info", "waiting"},
		"that stands before stdout": {[]string{"--all", "--json", "--post-hook=false"}, 3, "error", "the post-hook failed: false ended with exit code 1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.renew(t, append(c.args, "--log-format=json", "--abandon-pending")...)
			r.expect(t, c.code)
			found := false
			for line := range strings.Lines(r.stderr) {
				var event struct{ Level, Time, Message string }
				if err := json.Unmarshal([]byte(line), &event); err != nil || event.Time == "" || event.Message == "" {
					t.Errorf("no event: %s (%v)", line, err)
				}
				found = found || event.Level == c.level && strings.Contains(event.Message, c.says)
			}
			if !found {
				t.Errorf("no line of level %s says %q:\n%s", c.level, c.says, r.stderr)
			}
		})
	}
}
