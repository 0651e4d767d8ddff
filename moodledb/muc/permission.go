package muc

import (
	"errors"
	"io/fs"

	"renew_mnetkeys/moodledb/siteuser"
)

func newPermissionError(store, path string, err error) *PermissionError {
	return &PermissionError{Store: store, Path: path, Owner: siteuser.Owner(path).String(), Err: cause(err)}
}

// cause is the error that a *fs.PathError wraps: the errors of this package name the whole path
// themselves.
func cause(err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}
