package report

import (
	"cmp"
	"strings"

	"renew_mnetkeys/internal/printable"
)

// shortener leaves out the part that nearly all names share, if hundreds of names must fit on a
// page. Names of another domain stay complete, so that two short names never mean the same site.
type shortener struct{ Scheme, Domain string }

// newShortener finds the domain of the sites, if more than half of them share one.
func newShortener(sites []site) shortener {
	count := map[shortener]int{}
	for _, s := range sites {
		if short, ok := splitName(s.name); ok {
			count[short]++
			if 2*count[short] > len(sites) && len(sites) > 1 {
				return short
			}
		}
	}
	return shortener{}
}

// splitName finds scheme and domain of a wwwroot without port and path: https://tenant.example.org
// has https:// and .example.org.
func splitName(name string) (shortener, bool) {
	scheme, host, ok := strings.Cut(name, "://")
	_, domain, dot := strings.Cut(host, ".")
	if !ok || !dot || strings.ContainsAny(host, "/:") {
		return shortener{}, false
	}
	return shortener{Scheme: scheme + "://", Domain: "." + domain}, true
}

// short is the printable short form of a name.
func (s shortener) short(name string) string {
	if has, ok := splitName(name); ok && has == s {
		name = strings.TrimSuffix(strings.TrimPrefix(name, s.Scheme), s.Domain)
	}
	return printable.Line(name, 0)
}

// Prefix is what labels leave out of all other names.
func (s shortener) Prefix() string { return cmp.Or(s.Scheme, "https://") }
