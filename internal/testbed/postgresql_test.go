package testbed

import (
	"slices"
	"testing"
)

func TestTheNewestPostgreSQLIsThatOfTheHighestNumber(t *testing.T) {
	programs := []string{"/usr/lib/postgresql/17/bin/initdb", "/usr/lib/postgresql/9.6/bin/initdb", "/usr/lib/postgresql/15/bin/initdb", "/usr/lib/postgresql/old/bin/initdb"}
	if got := slices.MaxFunc(programs, byVersion); got != programs[0] {
		t.Error(got)
	}
}
