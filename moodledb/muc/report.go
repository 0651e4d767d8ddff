package muc

import (
	"errors"

	"renew_mnetkeys/rotate"
)

// result says what happened to each store, in the order of treatment: lowest first.
type result struct {
	Scope  rotate.Scope // as asked for
	Stores []storeReport
}

// storeReport is the result for one store. Removed 0 without an error means that there was nothing.
type storeReport struct {
	Store    string       // name of the instance, like default_application
	Plugin   string       // file, redis, apcu, …
	Place    string       // directory, or servers separated by commas; never a password
	Fallback bool         // not mapped: Moodle uses it while no mapped store is ready
	Scope    rotate.Scope // what was dropped: Definition if the name of the entry cannot be computed
	Why      string       // why Scope is wider than asked for, else ""
	Removed  int          // files or hash fields; a whole Redis hash counts as 1
	Err      error        // nil, *ManualError, *UnreachableError, *MissingDirectoryError, *PermissionError or the context's
}

// err joins the errors of the stores, nil if all are clear.
func (r result) err() error {
	var all []error
	for _, s := range r.Stores {
		all = append(all, s.Err)
	}
	return errors.Join(all...)
}
