package rotate

import (
	"fmt"
	"sync"
)

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// limitError is why no other tenant is renewed after failures.
type limitError struct{ problem string }

func (e *limitError) Error() string { return e.problem }

// StopsRun implements Stop.
func (*limitError) StopsRun() {}

// failureLimit stops phase one before damage spreads. It is safe for concurrent use.
type failureLimit struct {
	mu    sync.Mutex
	limit int // 0: no limit
	n     int
	cause error
}

func (f *failureLimit) count(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		return
	}
	if f.n++; f.limit > 0 && f.n >= f.limit && f.cause == nil {
		f.cause = &limitError{fmt.Sprintf("--max-failures or --fullstop allow no more tenants that fail than %d", f.n)}
	}
}

func (f *failureLimit) stop(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cause = cause
}

// reached gives the reason why no other tenant may be renewed, nil if one may.
func (f *failureLimit) reached() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cause
}

// exitCount computes one exit code from those of the tenants.
type exitCount map[int]int

func (e exitCount) add(r TenantReport) {
	code := r.Exit
	if code == ExitOK && r.Err != nil {
		code = ExitNotRenewed
	}
	e[code]++
}

// code: a local site that does not use its key is the worst. If some tenants were renewed, any
// other failure makes a 3; if none was, the code is that of the failure that all share.
func (e exitCount) code() int {
	total := 0
	for _, n := range e {
		total += n
	}
	switch {
	case total == 0: // a shard may be empty
		return ExitOK
	case e[ExitLocalSite] > 0:
		return ExitLocalSite
	}
	for code, n := range e {
		if n == total {
			return code
		}
	}
	if e[ExitOK]+e[ExitPeers] > 0 {
		return ExitPeers
	}
	return ExitNotRenewed
}
