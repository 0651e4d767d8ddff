package output

import (
	"regexp"
	"strings"
)

// ofTenant are words of an error that each tenant has for itself: the path of a file, and its database
// and account on one server.
var ofTenant = regexp.MustCompile(`(^|[\s'"(])/[^\s'":]+|(database )\S+( at \S+ as )[^\s:]+`)

// alike is a text without the words in which tenants differ that fail for one cause.
func alike(text, wwwroot string) string {
	return ofTenant.ReplaceAllString(withoutSite(text, wwwroot, "…"), "$1$2$3…")
}

// withoutSite is a text with something instead of a wwwroot. A longer one, of which it is the beginning,
// stays.
func withoutSite(text, wwwroot, instead string) string {
	if wwwroot == "" {
		return text
	}
	parts := strings.Split(text, wwwroot)
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i == 0:
		case goesOn(part):
			b.WriteString(wwwroot)
		default:
			b.WriteString(instead)
		}
		b.WriteString(part)
	}
	return b.String()
}

// longer is what makes a wwwroot another one: more of its last word, of its host, a port or a path.
// ofSite is the path of a page of the site: a file, or in a directory. Another site has one short path
// behind this one's wwwroot.
var (
	longer = regexp.MustCompile(`^(?:[\pL\pN_~%-]|\.[\pL\pN]|:\d|/[\pL\pN_~%-])`)
	ofSite = regexp.MustCompile(`^/(?:[^\s/]+/[^\s/]|[^\s/]*[^\s/.]\.[^\s/])`)
)

// goesOn reports whether the wwwroot before a text is a part of a longer one.
func goesOn(behind string) bool { return longer.MatchString(behind) && !ofSite.MatchString(behind) }
