package moodledb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"renew_mnetkeys/rotate"
)

// pairs are retired pairs, the first the newest.
func pairs(names ...string) []rotate.Retired {
	all := make([]rotate.Retired, len(names))
	for i, name := range names {
		all[i] = rotate.Retired{Stored: rotate.Stored{Certificate: "cert " + name + "\n", PrivateKey: "key " + name + "\n"}, Expires: int64(i)}
	}
	return all
}

// numbered are n pairs.
func numbered(n int) []rotate.Retired {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint(i))
	}
	return pairs(names...)
}

// withHistory is a new site with retired pairs.
func withHistory(t *testing.T, history []rotate.Retired) *site {
	t.Helper()
	s := newSite(t, "mdl_")
	s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl_history'", encodeHistory(history))
	return s
}

func TestStoreKeyLosesNoRetiredPair(t *testing.T) {
	t.Parallel()
	old := rotate.Retired{Stored: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}}
	behind := func(rest ...rotate.Retired) []rotate.Retired { return append([]rotate.Retired{old}, rest...) }
	twelve := numbered(12)
	for name, c := range map[string]struct {
		before, history []rotate.Retired
		lost            int // 0: stored
	}{
		"all are kept":                            {pairs("a", "b"), behind(pairs("a", "b")...), 0},
		"in another order":                        {pairs("a", "b"), append(pairs("b", "a"), old), 0},
		"one is missing":                          {pairs("a", "b", "c"), behind(pairs("a", "b")...), 1},
		"all are missing":                         {pairs("a", "b"), behind(), 2},
		"a private key is missing":                {pairs("a"), behind(rotate.Retired{Stored: rotate.Stored{Certificate: "cert a\n", PrivateKey: "key b\n"}}), 1},
		"a certificate is missing":                {pairs("a"), behind(rotate.Retired{Stored: rotate.Stored{Certificate: "cert b\n", PrivateKey: "key a\n"}}), 1},
		"the oldest of twelve goes":               {twelve, behind(twelve[:11]...), 0},
		"the oldest of twelve goes too early":     {twelve, behind(twelve[:10]...), 2},
		"none of twelve needs to go":              {twelve, behind(twelve...), 0},
		"the newest of twelve goes":               {twelve, behind(twelve[1:]...), 1},
		"one in the middle of twelve goes":        {twelve, behind(slices.Delete(slices.Clone(twelve), 5, 6)...), 1},
		"more than twelve shrink to twelve":       {numbered(20), behind(numbered(11)...), 0},
		"twelve with one that stands there twice": {append(numbered(12), numbered(1)...), behind(twelve[:11]...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := withHistory(t, c.before)
			tenant, before := s.open(t), s.stored(t)
			change := renewal(read(t, tenant))
			change.History = c.history
			err := storeKey(t.Context(), tenant, change)
			var lost *LostPairError
			if errors.As(err, &lost) != (c.lost > 0) || lost == nil && err != nil || lost != nil && lost.Lost != c.lost {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "key ") && strings.Contains(err.Error(), "cert ") {
				t.Errorf("the error shows a pair: %v", err)
			}
			want := before
			if c.lost == 0 {
				want = stored{joinPair(change.Stored), encodeHistory(c.history), newCert, "1900000000", ownWwwroot}
			}
			if got := s.stored(t); got != want {
				t.Errorf("stored %+v", got)
			}
		})
	}
}

func TestAPairThatBecomesCurrentAgainIsNotLost(t *testing.T) {
	t.Parallel()
	former := rotate.Retired{Stored: rotate.Stored{Certificate: newCert, PrivateKey: newKey}, Expires: 7}
	s := withHistory(t, append([]rotate.Retired{former}, pairs("a")...))
	tenant := s.open(t)
	change := renewal(read(t, tenant))
	change.History = append([]rotate.Retired{{Stored: rotate.Stored{Certificate: ownCert, PrivateKey: ownKey}, Expires: 1800000000}}, pairs("a")...)
	if err := storeKey(t.Context(), tenant, change); err != nil {
		t.Fatal(err)
	}
	if got := s.stored(t); got.pair != joinPair(change.Stored) || got.history != encodeHistory(change.History) {
		t.Errorf("stored %+v", got)
	}
}

// Only the history is replaced: pair and local host row stay, whatever they are.
func TestStoreHistoryReplacesTheHistoryAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		history []rotate.Retired
		trim    bool
		lost    int
	}{
		"a pair is added":                    {pairs("c", "a", "b"), false, 0},
		"one is missing":                     {pairs("a"), false, 1},
		"one is missing, and that is wanted": {pairs("a"), true, 0},
		"all are missing, as wanted":         {nil, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := withHistory(t, pairs("a", "b"))
			s.Exec(t, "UPDATE {mnet_host} SET public_key = 'another' WHERE id = 1") // as VMoodle's script leaves it
			tenant, before := s.open(t), s.stored(t)
			err := tenant.StoreHistory(t.Context(), read(t, tenant), c.history, c.trim)
			if lost := new(*LostPairError); errors.As(err, lost) != (c.lost > 0) || c.lost == 0 && err != nil {
				t.Fatalf("got %v", err)
			}
			if c.lost == 0 {
				before.history = encodeHistory(c.history)
			}
			if got := s.stored(t); got != before {
				t.Errorf("stored %+v", got)
			}
		})
	}
}

func TestStoreHistoryIsRefusedWhenSomebodyWasFaster(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"pair":    "UPDATE {config_plugins} SET value = 'x' WHERE name = 'openssl'",
		"history": "UPDATE {config_plugins} SET value = 'a:0:{}' WHERE name = 'openssl_history'",
		"own row": "UPDATE {mnet_host} SET public_key = 'x' WHERE id = 1",
	} {
		t.Run(name, func(t *testing.T) {
			s := withHistory(t, pairs("a", "b"))
			tenant := s.open(t)
			read := read(t, tenant)
			s.Exec(t, change)
			before := s.stored(t)
			if err := tenant.StoreHistory(t.Context(), read, pairs("c", "a", "b"), false); !errors.Is(err, rotate.ErrConflict) {
				t.Errorf("got %v", err)
			}
			if got := s.stored(t); got != before {
				t.Errorf("stored %+v", got)
			}
		})
	}
}

// The answer to COMMIT is lost on the way: the tool reads back what happened.
func TestStoreHistoryWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	s := withHistory(t, pairs("a", "b"))
	for name, wanted := range map[string][]rotate.Retired{"added": pairs("c", "a", "b"), "trimmed": pairs("c")} {
		tenant := s.open(t)
		before := read(t, tenant)
		state := stateRead(before)
		state.history = encodeHistory(wanted)
		if err := tenant.decide(t.Context(), before, state, errors.New("lost")); err == nil || errors.Is(err, rotate.ErrUncertain) {
			t.Errorf("%s: a change that never arrived: %v", name, err)
		}
		if err := tenant.StoreHistory(t.Context(), before, wanted, true); err != nil {
			t.Fatal(err)
		}
		if err := tenant.decide(t.Context(), before, state, errors.New("lost")); err != nil {
			t.Errorf("%s: a change that arrived: %v", name, err)
		}
	}
}

func TestStoreKeyLeavesTheRowOfAnotherSite(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{
		"a site that was moved":           "http://old.example",
		"another scheme":                  strings.Replace(ownWwwroot, "https:", "http:", 1),
		"a path of another case":          "https://own.example/Moodle",
		"a path that ends in a blank":     ownWwwroot + " ",
		"a path with more behind it":      ownWwwroot + "/x",
		"something that is no wwwroot":    "x",
		"a host that is longer":           "https://own.example.org/moodle",
		"the same host with another port": "https://own.example:8443/moodle",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "mdl_")
			s.Exec(t, "UPDATE {mnet_host} SET wwwroot = ? WHERE id = 1", row)
			tenant, before := s.open(t), s.stored(t)
			var other *rotate.OtherSiteError
			if err := storeKey(t.Context(), tenant, renewal(read(t, tenant))); !errors.As(err, &other) || other.Row != row || other.Wwwroot != ownWwwroot {
				t.Errorf("got %v", err)
			}
			if got := s.stored(t); got != before {
				t.Errorf("stored %+v", got)
			}
		})
	}
	t.Run("that it became after it was read", func(t *testing.T) {
		s := newSite(t, "mdl_")
		tenant := s.open(t)
		change := renewal(read(t, tenant))
		s.Exec(t, "UPDATE {mnet_host} SET wwwroot = 'https://own.example/Moodle' WHERE id = 1")
		before := s.stored(t)
		if err := storeKey(t.Context(), tenant, change); !errors.As(err, new(*rotate.OtherSiteError)) {
			t.Errorf("got %v", err)
		}
		if got := s.stored(t); got != before {
			t.Errorf("stored %+v", got)
		}
	})
}

// If a renewal of a pair without a private key is undone, the old values are put back.
func TestAPairWithoutAPrivateKeyIsPutBack(t *testing.T) {
	s := newSite(t, "mdl_")
	s.Exec(t, "UPDATE {config_plugins} SET value = ? WHERE name = 'openssl'", ownCert+pairSeparator)
	tenant := s.open(t)
	before := read(t, tenant)
	if err := storeKey(t.Context(), tenant, renewal(before)); err != nil {
		t.Fatal(err)
	}
	now := read(t, tenant)
	undo := rotate.Keys{Stored: before.Pair, Expires: before.Own.Expires, History: []rotate.Retired{{Stored: now.Pair, Expires: 1}}}
	undo.History = append(undo.History, now.History...)
	if err := tenant.StoreKey(t.Context(), now, undo); err != nil {
		t.Fatal(err)
	}
	if got := s.stored(t); got.pair != ownCert+pairSeparator || got.ownKey != ownCert {
		t.Errorf("stored %+v", got)
	}
}
