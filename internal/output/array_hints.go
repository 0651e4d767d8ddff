package output

import (
	"fmt"
	"strings"
	"time"

	"renew_mnetkeys/rotate"
)

// interruptedHint is what to do after a run that was ended by a signal. A renewal that is started
// again goes on with the tenants that the signal has spared, thanks to --fresh or --if-due. A
// rollback would also return the others to the key that it has just retired, if there are any.
func (a *Array) interruptedHint() string {
	row := a.Options.Command.Row()
	switch {
	case a.spared > 0:
	case row.Changes && !a.Options.DryRun && a.total > 0 && a.proven == a.total && len(a.failures) == 0 && a.leftOut == 0:
		return hintAllProven // only ignored peers were left
	default:
		return interruptedHint(a.Options)
	}
	count := fmt.Sprintf("%d of %d", a.spared, a.tenants)
	left := func(more string) string {
		return fmt.Sprintf("to go on with the tenants that are not %s yet (%s%s), run: %s", row.Done, count, more, again)
	}
	fresh := a.freshFor(time.Now())
	switch {
	case !a.changed, row.MakesKey && a.Options.Due.OnlyIfDue:
		return left("")
	case row.MakesKey && a.Options.Array.Fresh < min(time.Hour, fresh): // over before it can be pasted
		return "the same command would renew the others again: " + left("") + " --fresh=" + inMinutes(fresh)
	case row.MakesKey:
		return left("; a key younger than --fresh is only pushed")
	}
	return "name only the tenants that are not " + row.Done + " (" + count + ") with --match: the same command would undo it for the others. For the others, " + pushHint(a.Options)
}

// freshFor is the --fresh that tells the keys that the run has made from those that it has not
// reached: less than the age of the youngest of the latter, which only grow older, and a day at most.
// The longer it is, the later the command can be started.
func (a *Array) freshFor(now time.Time) time.Duration {
	age := 24 * time.Hour
	if !a.youngest.IsZero() {
		age = min(age, now.Sub(a.youngest))
	}
	return max(age, time.Second)
}

// inMinutes writes a duration for a command line: in seconds if it is short.
func inMinutes(d time.Duration) string {
	if d >= 2*time.Minute {
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	}
	return d.Truncate(time.Second).String()
}

// saidAtTheEnd reports whether a tenant's hint is that of all tenants that a signal has spared.
func (a *Array) saidAtTheEnd(r rotate.TenantReport) bool {
	return r.Hint == hintNotBegun || r.Hint == interruptedHint(a.Options)
}
