package run

import (
	"context"
	"io"
	"slices"

	"renew_mnetkeys/envelope"
	"renew_mnetkeys/internal/cmdline"
	"renew_mnetkeys/internal/output"
	"renew_mnetkeys/rotate"
)

// keysBefore reads which keys a rollback replaces and brings back, as the databases have them before
// the question. It reads with the command that the row names, and prints nothing. The printer of the
// whole run learns which site it is.
func keysBefore(o cmdline.Options, whole *output.Printer, getenv func(string) string) func(context.Context) []rotate.TenantReport {
	return func(ctx context.Context) []rotate.TenantReport {
		o.Command, o.JSON, o.Quiet, o.LogFormat = o.Command.Row().KeysFrom, false, true, "console"
		ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
		defer cancel()
		out := output.New(o, &output.Results{W: io.Discard}, io.Discard, getenv)
		var found collector
		out.Sinks = append(out.Sinks, &found)
		r := runner{cmd: o.Command.Row(), o: o, getenv: getenv, out: out, hooks: newHookRunner(out)}
		work := r.workOnTenant
		if o.All {
			work = r.workOnArray
		}
		work(ctx)
		whole.Site, whole.SiteOf = out.Site, out.SiteOf
		return found.reports
	}
}

// nothingToGoBackTo is the error of a rollback that can change no tenant, nil if it can change one:
// then there is nothing to ask. If no tenant could be read, nothing is known of their keys.
func nothingToGoBackTo(found []rotate.TenantReport) error {
	unread := func(r rotate.TenantReport) bool { return r.Err != nil }
	switch read := slices.DeleteFunc(slices.Clone(found), unread); {
	case slices.ContainsFunc(found, func(r rotate.TenantReport) bool { return r.Back != nil }):
		return nil
	case len(found) > 0 && len(read) == 0:
		return found[0].Err
	case len(found) == 1:
		return found[0].NoBack
	}
	return rotate.ErrNoneRetired
}

// askedAbout are the keys that a rollback brings back, for [rotate.Options].
func askedAbout(reports []rotate.TenantReport) map[string]string {
	keys := map[string]string{}
	for _, r := range reports {
		if r.Back != nil {
			keys[envelope.FoldWwwroot(r.Wwwroot)] = r.Back.SHA256
		}
	}
	return keys
}

// collector keeps the reports of a run.
type collector struct{ reports []rotate.TenantReport }

// Add implements a sink of package output.
func (c *collector) Add(r rotate.TenantReport) { c.reports = append(c.reports, r) }

// Finish implements a sink of package output.
func (c *collector) Finish(int) error { return nil }
