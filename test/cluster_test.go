package test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"renew_mnetkeys/internal/testbed"
)

const withoutLock = "working without a lock"

// withoutLocks puts a server that gives no locks in front of all databases of the array.
func (f *fleet) withoutLocks(t *testing.T) {
	t.Helper()
	server := testbed.MariaDB(t).WithoutLocks(t, testbed.RefusedByXtraDB)
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	placeFile(t, f.config, strings.Replace(string(text), fmt.Sprintf("'dbport' => %d", f.master.DB.Port), fmt.Sprintf("'dbport' => %d", server.Port), 1))
	for _, tenant := range f.tenants {
		f.says(t, tenant.Site, fmt.Sprintf("vdbhost = '127.0.0.1:%d'", server.Port))
	}
}

func TestWithoutLocksASiteRenewsWithOneWarning(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	r.withoutLocks(t)
	end := r.renew(t)
	end.expect(t, 0, "GET_LOCK")
	if n := strings.Count(end.stderr, withoutLock); n != 1 {
		t.Errorf("%d warnings:\n%s", n, end.stderr)
	}
	r.ended(t, r.old)
	run1(t, command(t, "doctor", "--verbose", "--config="+r.config)).expect(t, 0, "gives no locks", "only over the key pair that it has read")
}

func TestWithoutLocksAnArrayRenewsWithOneWarning(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	r.withoutLocks(t)
	end := r.renew(t, "--all", "--withmaster")
	end.expect(t, 0, "GET_LOCK")
	if n := strings.Count(end.stderr, withoutLock); n != 1 {
		t.Errorf("%d warnings:\n%s", n, end.stderr)
	}
	if wrong := r.wrongLinks(t); pairOf(t, r.own.Site) == r.old || len(wrong) > 0 {
		t.Errorf("wrong links: %q", wrong)
	}
}

// Both runs have read the same key before one of them stores its own.
func TestWithoutLocksOneOfTwoRunsWins(t *testing.T) {
	t.Parallel()
	r := newRace(t)
	r.withoutLocks(t)
	reached, release := r.own.hold(t)
	first := r.start(t, "--timeout=60s")
	first.at(t, reached)
	r.renew(t).expect(t, 0, withoutLock)
	theirs := pairOf(t, r.own.Site)
	release()
	end := <-first.done
	end.expect(t, 1, withoutLock, "meanwhile")
	if pairOf(t, r.own.Site) != theirs {
		t.Error("the second run's key was overwritten")
	}
	r.ended(t, r.old)
}
