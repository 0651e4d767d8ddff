package cmdline

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"renew_mnetkeys/rotate"
)

// ArrayOptions are those that go with --all.
type ArrayOptions struct {
	rotate.ArrayOptions
	rotate.Selection
	WithMaster    bool
	DBConnections int
}

func readArrayOptions(cmd Command, c *cli.Context) (all bool, a ArrayOptions, err error) {
	if all = c.Bool("all"); !all {
		return false, a, nil
	}
	a.Match, a.Exclude = c.StringSlice("match"), c.StringSlice("exclude")
	a.WithMaster, a.DBConnections = c.Bool("withmaster"), c.Int("db-connections")
	a.Parallel, a.Fresh = parallelTenants(), wait(c, "fresh")
	a.PushOnly, a.Canary, a.MaxFailures = cmd.Name == Push, c.Int("canary"), c.Int("max-failures")
	a.RollBack, a.FullStop = cmd.Name == Rollback, c.Bool("fullstop")
	for _, bad := range []struct {
		is      bool
		problem string
	}{
		{a.Canary < 0, "--canary must not be negative"},
		{a.MaxFailures < 0, "--max-failures must not be negative"},
		{a.DBConnections < 2 || a.DBConnections > 1000, "--db-connections must be 2 to 1000: one of them holds the locks"},
	} {
		if bad.is {
			return all, a, &UsageError{Problem: bad.problem}
		}
	}
	if a.Shard, a.Shards, err = readShard(c.String("shard")); err != nil {
		return all, a, err
	}
	if !cmd.Changes {
		return all, a, nil
	}
	return all, a, readWays(&a, c.String("push"), c.String("prove"))
}

// readShard reads I/N.
func readShard(s string) (shard, shards int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	i, n, _ := strings.Cut(s, "/")
	shard, errI := strconv.Atoi(i)
	shards, errN := strconv.Atoi(n)
	if errI != nil || errN != nil || shard < 0 || shards < 1 || shard >= shards {
		return 0, 0, &UsageError{Problem: fmt.Sprintf("--shard=%s is no part like 0/4", s), Advice: "I counts from 0 to N-1: of four machines the last is 3/4"}
	}
	return shard, shards, nil
}

// readWays reads how members are told and proven.
func readWays(a *ArrayOptions, push, prove string) error {
	switch push {
	case "auto":
	case "keyswap":
		a.ByKeyswap = true
	default:
		return &UsageError{Problem: "--push must be auto or keyswap"}
	}
	if k, ok := strings.CutPrefix(prove, "sample="); ok {
		n, err := strconv.Atoi(k)
		if err != nil || n < 1 {
			return &UsageError{Problem: "--prove=sample=K wants K, how many peers of each tenant are called"}
		}
		a.ProveCalls = n
		return nil
	}
	switch prove {
	case "database":
	case "calls":
		a.ProveCalls = -1
	default:
		return &UsageError{Problem: "--prove must be database, calls or sample=K"}
	}
	return nil
}

// parallelTenants is how many tenants are worked on at once: enough to keep all
// cores making keys while others wait for the database or the own site.
func parallelTenants() int { return 4*runtime.NumCPU() + 4 }
