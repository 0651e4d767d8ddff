package output

import "renew_mnetkeys/rotate"

// sink receives the reports of a run in addition to its output: a page, metrics, a hook.
type sink interface {
	Add(rotate.TenantReport)
	Finish(code int) error
}

// sinks are finished in their order, once. Each gets the exit code that those before it have left.
type sinks []sink

func (s sinks) add(r rotate.TenantReport) {
	for _, kept := range s {
		kept.Add(r)
	}
}

// finish finishes the sinks. A sink that fails does not undo the run, but 0 would say that
// everything succeeded: finish gives the new exit code, and the errors.
func (s *sinks) finish(code int) (int, []error) {
	var failed []error
	for _, kept := range *s {
		if err := kept.Finish(code); err != nil {
			failed = append(failed, err)
			if code == rotate.ExitOK {
				code = rotate.ExitPeers
			}
		}
	}
	*s = nil
	return code, failed
}

// Close finishes the sinks, unless that was done before, and gives the exit code.
func (out *Printer) Close(code int) int {
	code, failed := out.Sinks.finish(code)
	for _, err := range failed {
		out.fail(err)
	}
	return code
}

// Stop ends a run before anything was done.
func (out *Printer) Stop(code int, err error) int {
	report := Failed(out.Options.Host, code, err)
	report.Unconfirmed = true
	return out.Close(out.Print(report, code))
}
