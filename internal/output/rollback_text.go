package output

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"renew_mnetkeys/internal/printable"
	"renew_mnetkeys/rotate"
)

// askedAbout is how many tenants of an array are named before the question.
const askedAbout = 10

// KeysOfRollback says which key of each tenant a rollback replaces, and which one it brings back.
func KeysOfRollback(reports []rotate.TenantReport) string {
	var b strings.Builder
	slices.SortFunc(reports, func(x, y rotate.TenantReport) int { return strings.Compare(x.Wwwroot, y.Wwwroot) })
	for _, r := range reports[:min(len(reports), askedAbout)] {
		fmt.Fprintf(&b, "%s\n", printable.Line(cmp.Or(r.Wwwroot, "the tenant"), 0))
		if r.Err != nil {
			fmt.Fprintf(&b, "  could not be read: %s\n", printable.Line(r.Error, 0))
			continue
		}
		fmt.Fprintf(&b, "  current key   %s\n  previous key  %s\n", keyWords(r.Certificate, nil), keyWords(r.Back, r.NoBack))
	}
	if more := len(reports) - askedAbout; more > 0 {
		fmt.Fprintf(&b, "and %s: rollback --dry-run names their keys\n", count(more, "more tenant"))
	}
	return b.String()
}

// keyWords name a key by its certificate, or say why there is none.
func keyWords(k *rotate.KeyReport, why error) string {
	switch {
	case k == nil && why != nil:
		return "none: " + printable.Line(why.Error(), 0)
	case k == nil:
		return "none that can be used"
	}
	return "sha256 " + k.SHA256 + ", valid until " + rotate.FormatTime(k.NotAfter)
}
