package envelope

import (
	"net/url"
	"strings"
)

// FoldWwwroot gives the form in which all spellings of one site are equal: scheme and host in lower
// case, no slash at the end. The path stays unchanged: a web server may serve /Moodle and /moodle
// as different sites, and Moodle itself compares wwwroots byte by byte (mnet/lib.php,
// mnet/peer.php).
func FoldWwwroot(wwwroot string) string {
	wwwroot = strings.TrimRight(wwwroot, "/")
	u, err := url.Parse(wwwroot)
	if err != nil || u.Host == "" {
		return wwwroot
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	return u.String()
}

// SameWwwroot says whether two wwwroots name one site; see FoldWwwroot for the differences that do
// not count.
func SameWwwroot(a, b string) bool { return FoldWwwroot(a) == FoldWwwroot(b) }
