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

// failureLimit stops phase one before damage spreads. It is safe for concurrent use.
type failureLimit struct {
	mu    sync.Mutex
	limit int // 0: none
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
		f.cause = fmt.Errorf("--max-failures or --fullstop allow no more tenants that fail than %d", f.n)
	}
}

func (f *failureLimit) stop(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cause = cause
}

// reached gives why no other tenant may be renewed, nil while one may.
func (f *failureLimit) reached() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cause
}

// exitCount makes one exit code of those of the tenants.
type exitCount map[int]int

func (e exitCount) add(r TenantReport) {
	code := r.Exit
	if code == ExitOK && r.Err != nil {
		code = ExitNotRenewed
	}
	e[code]++
}

// code: an own site that does not use its key is the worst. Where some tenants
// were renewed, anything else that went wrong is a 3; where none was, it is what
// went wrong with all.
func (e exitCount) code() int {
	total := 0
	for _, n := range e {
		total += n
	}
	switch {
	case total == 0: // a shard may be empty
		return ExitOK
	case e[ExitOwnSite] > 0:
		return ExitOwnSite
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
