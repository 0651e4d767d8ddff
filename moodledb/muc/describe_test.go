package muc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

func TestDescribeTellsWhatServesTheConfigurationAndLeavesIt(t *testing.T) {
	running, stopped := testbed.Redis(t, ""), testbed.Redis(t, "")
	stopped.Stop()
	for _, c := range []struct {
		name   string
		site   func(site)
		adjust func(site, *location)
		want   []rotate.CacheStore // Place, Problem and Advice contain a part of the text
	}{
		{name: "without a configuration file, Moodle's default file store",
			want: []rotate.CacheStore{{Name: "default_application", Plugin: "file", Place: "cache/cachestore_file/default_application", State: rotate.CacheReady}}},
		{name: "a Redis, and the file store behind it", site: func(s site) { s.oneServer(running.Addr, "lms_", "") },
			want: []rotate.CacheStore{
				{Name: "default_application", Plugin: "file", Fallback: true, State: rotate.CacheReady},
				{Name: "Shared Redis", Plugin: "redis", Place: running.Addr, State: rotate.CacheReady}}},
		{name: "a Redis that is down", site: func(s site) { s.oneServer(stopped.Addr, "lms_", "S3cret") },
			want: []rotate.CacheStore{
				{Name: "default_application", Plugin: "file", Fallback: true, State: rotate.CacheReady},
				{Name: "Shared Redis", Plugin: "redis", Place: stopped.Addr, State: rotate.CacheUnreachable, Problem: "connection refused", Advice: "Redis server runs"}}},
		{name: "the memory of the web server, above the files", site: func(s site) { s.configure("apcu-3.11") },
			want: []rotate.CacheStore{
				{Name: "default_application", Plugin: "file", State: rotate.CacheReady},
				{Name: "APCu", Plugin: "apcu", State: rotate.CacheManual, Problem: "cannot be cleared from here", Advice: "systemctl reload"}}},
		{name: "a directory that is not mounted here",
			adjust: func(s site, l *location) { l.CacheDir = filepath.Join(s.root, "fast") },
			want:   []rotate.CacheStore{{Name: "default_application", Plugin: "file", Place: "fast", State: rotate.CacheNotMounted, Problem: "cachedir", Advice: "mounted here"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			if c.site != nil {
				c.site(s)
			}
			where := s.location()
			if c.adjust != nil {
				c.adjust(s, &where)
			}
			entries, _ := s.warm(defaultStore, md5Hex(identifier))
			fill(t, running.Client, "lms_"+definitionHash())
			cache, err := open(where, options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := cache.describe(t.Context())
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
			for i, want := range c.want {
				compare(t, got[i], want)
			}
			s.present(entries...)
			if left := length(t, running.Client, "lms_"+definitionHash()); left != 3 {
				t.Errorf("%d fields left of 3", left)
			}
		})
	}
}

// compare compares got with want, whose Place, Problem and Advice may be parts of the text.
func compare(t *testing.T, got, want rotate.CacheStore) {
	t.Helper()
	for _, part := range [][2]string{{got.Place, want.Place}, {got.Problem, want.Problem}, {got.Advice, want.Advice}} {
		if !strings.Contains(part[0], part[1]) || strings.Contains(part[0], "S3cret") {
			t.Errorf("got %q, want %q in it and no password", part[0], part[1])
		}
	}
	if ready := got.State == rotate.CacheReady; ready != (got.Problem == "") || ready != (got.Advice == "") {
		t.Errorf("%s with problem %q and advice %q", got.State, got.Problem, got.Advice)
	}
	got.Place, got.Problem, got.Advice = want.Place, want.Problem, want.Advice
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDescribeTellsFilesThatCannotBeChanged(t *testing.T) {
	if !unprivileged(t) {
		return
	}
	s := newSite(t)
	entries, _ := s.warm(defaultStore, md5Hex(identifier))
	closed := filepath.Dir(entries[0])
	if err := os.Chmod(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o755) })
	got, err := s.open().describe(t.Context())
	if err != nil || len(got) != 1 || got[0].State != rotate.CacheNotWritable || !strings.HasPrefix(got[0].Advice, "this user is the owner") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDescribeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSite(t).open().describe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
