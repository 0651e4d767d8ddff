package rotate

import "context"

// trim is where the history is cut to what Moodle keeps, once every peer is proven.
func (r *Renewal) trim(_ context.Context, _ Identity, _ *TenantReport) error { return nil }
