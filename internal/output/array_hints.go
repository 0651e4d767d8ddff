package output

import (
	"fmt"

	"renew_mnetkeys/rotate"
)

// interruptedHint is what to do after a run that was ended by a signal. A renewal that is started
// again goes on with the tenants that were not begun, thanks to --fresh. A rollback would also
// return the others to the key that it has just retired.
func (a *Array) interruptedHint() string {
	row := a.Options.Command.Row()
	if a.notBegunYet == 0 {
		return interruptedHint(a.Options)
	}
	if a.notBegunYet == a.tenants && !row.MakesKey {
		return hintNotBegun
	}
	left := fmt.Sprintf("%s not %s", outOf(a.notBegunYet, a.tenants, "tenant"), row.Done)
	if row.MakesKey && a.Options.Array.Fresh == 0 {
		return left + " yet: start the same command without --fresh=0s to go on with them. With it, all are renewed again"
	}
	if row.MakesKey {
		return left + " yet: the same command goes on with them (a key younger than --fresh is only pushed). To go on, run: " + again
	}
	return left + ": name only these with --match, since the same command would undo it for the others. For the others, " + pushHint(a.Options)
}

// saidAtTheEnd reports whether a tenant's hint is that of all tenants that a signal has spared.
func (a *Array) saidAtTheEnd(r rotate.TenantReport) bool {
	return r.Hint == hintNotBegun || r.Hint == interruptedHint(a.Options)
}
