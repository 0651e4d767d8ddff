package muc

import (
	"errors"
	"io/fs"
	"os"

	"renew_mnetkeys/moodledb/siteuser"
)

func newPermissionError(store, path string, err error) *PermissionError {
	owner := siteuser.Owner(path)
	return &PermissionError{Store: store, Path: path, Owner: owner.String(), Own: int(owner.UID) == os.Geteuid(), Err: cause(err)}
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
