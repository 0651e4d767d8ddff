package moodledb

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/moodledb/phpserial"
)

// realHistories are those that Moodle and Mahara wrote for the vectors.
func realHistories(t testing.TB) (histories []string) {
	t.Helper()
	vectors := vectorHistories(t)
	for _, file := range slices.Sorted(maps.Keys(vectors)) {
		parties := vectors[file]
		histories = append(histories, parties["caller"].HistoryRaw, parties["callee"].HistoryRaw)
	}
	return histories
}

// vectorParty is one side of a vector: openssl_history as it is stored, and as PHP reads it.
type vectorParty struct {
	HistoryRaw string `json:"history_raw"`
	History    json.RawMessage
}

// vectorHistories are those of testdata/vectors by file, of the caller and the callee.
func vectorHistories(t testing.TB) map[string]map[string]vectorParty {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testbed.Root(t), "testdata", "vectors", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	histories := map[string]map[string]vectorParty{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vector struct{ Caller, Callee vectorParty }
		if err := json.Unmarshal(text, &vector); err != nil {
			t.Fatal(err)
		}
		histories[filepath.Base(file)] = map[string]vectorParty{"caller": vector.Caller, "callee": vector.Callee}
	}
	return histories
}

// oddHistories are small ones, for a fuzzer to work on.
func oddHistories() []string {
	const entry = `a:3:{s:11:"certificate";s:1:"c";s:11:"keypair_PEM";s:1:"k";s:7:"expires";s:2:"12";}`
	return []string{
		"", "a:0:{}", "a:1:{i:0;" + entry + "}", "a:2:{i:2;" + entry + "i:5;" + entry + "}", "a:2:{i:0;a:0:{}i:1;" + entry + "}",
		strings.Replace("a:1:{i:0;"+entry+"}", `s:2:"12"`, "i:12", 1), strings.Replace("a:1:{i:0;"+entry+"}", `s:1:"c"`, "N", 1),
		strings.Replace("a:1:{i:0;"+entry+"}", `s:1:"c"`, `s:11:"keypair_PEM"`, 1), "a:1:{s:1:\"0\";" + entry + "}",
		"a:1:{i:-1;" + entry + "}", "a:2:{i:0;" + entry + "i:0;" + entry + "}", `a:1:{i:0;O:8:"stdClass":0:{}}`, "a:1:{i:0;b:1;}", "a:1:{i:0;d:0.5;}", "a:1:{i:0;R:1;}",
	}
}

// FuzzHistory looks for a history that makes the reader panic or show a key, or that changes when
// it is written again.
func FuzzHistory(f *testing.F) {
	for _, raw := range append(realHistories(f), oddHistories()...) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		history, err := decodeHistory(raw)
		if err != nil {
			var unreadable *HistoryError
			if !errors.As(err, &unreadable) {
				t.Fatalf("untyped error: %v", err)
			}
			if len(unreadable.Problem) > 100 || strings.Contains(unreadable.Problem, "PRIVATE") {
				t.Fatalf("the error shows content: %v", err)
			}
			return
		}
		for _, r := range history {
			if r.PrivateKey == "" {
				t.Fatal("an entry without a key")
			}
		}
		again, err := decodeHistory(encodeHistory(history))
		if err != nil || !cmp.Equal(history, again) {
			t.Fatalf("read %d entries, written again %d: %v", len(history), len(again), err)
		}
	})
}

// FuzzStrategy reads any text as local_vmoodle/services_strategy.
func FuzzStrategy(f *testing.F) {
	for _, raw := range []string{
		`a:2:{s:20:"main_sso_idp_publish";i:1;s:22:"main_sso_idp_subscribe";s:1:"1";}`, `a:1:{s:20:"peer_sso_idp_publish";b:1;}`, `a:0:{}`, "a:1:{i:0;N;}", "N;", "",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		array, problem := phpserial.Array(raw)
		if problem != "" {
			return
		}
		strategy := phpserial.ByName(array)
		for _, role := range []Role{RolePeer, RoleMaster, RoleSub} {
			b := recordedBinding(strategy, role, "sso_idp")
			if b.Service != "sso_idp" {
				t.Fatalf("bound %q", b.Service)
			}
			if (b.Publish || b.Subscribe) && !speaksOf(strategy, role) {
				t.Fatal("a strategy that does not speak of a link binds it")
			}
		}
	})
}
