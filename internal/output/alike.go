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
	if wwwroot != "" {
		text = strings.ReplaceAll(text, wwwroot, "…")
	}
	return ofTenant.ReplaceAllString(text, "$1$2$3…")
}
