package output

import (
	"fmt"
	"slices"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// ignoredGlobs are the globs of --ignore-peer that have matched no peer yet: the peer may have been
// deleted, or the glob may be mistyped.
type ignoredGlobs struct {
	unmatched rotate.Globs
	seen      map[string]bool // wwwroots: tenants of an array have the same peers
	unread    bool            // a tenant's peers could not be read
}

func (g *ignoredGlobs) add(r rotate.TenantReport) {
	if len(g.unmatched) == 0 {
		return
	}
	if g.seen == nil {
		g.seen = map[string]bool{}
	}
	g.unread = g.unread || r.Err != nil
	for _, p := range r.Peers {
		if !g.seen[p.Wwwroot] {
			g.seen[p.Wwwroot] = true
			g.unmatched = slices.DeleteFunc(slices.Clone(g.unmatched), func(glob string) bool { return rotate.Globs{glob}.Match(p.Wwwroot) })
		}
	}
}

// tellUnmatched names the globs that matched no peer. A job that prints nothing else does not print
// this either: an option file is for many tenants, and cron sends a mail for any output. A part of
// them does not have all the peers that the file names.
func (out *Printer) tellUnmatched() {
	a := out.Options.Array
	whole := out.Options.All && len(a.Match)+len(a.Exclude) == 0 && a.Shards <= 1
	if out.ignored.unread || out.Options.Quiet || !whole && !out.Typed("ignore-peer") {
		return
	}
	for _, glob := range out.ignored.unmatched {
		out.Tell("warning: %v", out.Options.Located(fmt.Errorf("--ignore-peer=%s matches no peer", printable.Line(glob, 0))))
	}
}
