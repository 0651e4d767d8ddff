package rotate

import (
	"fmt"
	"slices"
	"strings"
)

// Exits are exit codes with their meanings. The constants of the codes are the only other place
// that knows them.
type Exits []ExitRow

// ExitRow is one meaning. Codes above 128 are those of signals.
type ExitRow struct {
	Codes []int
	Means string
}

// The exit codes of commands that change something, of a renewal, which may have nothing to do, of
// commands that only look, of status without --live, which tests nothing, and of check, which are
// those of the Monitoring Plugins' guidelines.
var (
	ExitsOfChange = Exits{
		{[]int{ExitOK}, "everything is proven"},
		{[]int{ExitNotRenewed}, "failed: nothing was changed, or the change was undone"},
		{[]int{ExitUsage}, "wrong usage or configuration"},
		{[]int{ExitPeers}, "done, but not everything is proven, or a result could not be written"},
		{[]int{ExitLocalSite}, "the web server does not use the stored key: act now"},
		{[]int{ExitLocked}, "another run has the lock"},
		{[]int{129, 130, 143}, "interrupted at a safe point (HUP, INT, TERM): follow the hint"},
	}
	ExitsOfRenewal = append(Exits{{[]int{ExitOK}, "everything is proven, or nothing is due"}}, ExitsOfChange[1:]...)
	ExitsOfLook    = Exits{
		{[]int{ExitOK}, "everything is fine"},
		{[]int{ExitNotRenewed}, "the tenant could not be examined, or its own setup is wrong"},
		{[]int{ExitUsage}, "wrong usage or configuration"},
		{[]int{ExitPeers}, "not everything is proven, or a result could not be written"},
		{[]int{ExitLocalSite}, "the web server does not use the stored key: act now"},
		{[]int{129, 130, 143}, "interrupted (HUP, INT, TERM)"},
	}
	ExitsOfStatus = Exits{
		{[]int{ExitOK}, "the databases were read; no link was tested"},
		{[]int{ExitNotRenewed}, "a tenant could not be read"},
		{[]int{ExitUsage}, "wrong usage or configuration"},
		{[]int{ExitPeers}, "not all tenants were read, or a result could not be written"},
		{[]int{129, 130, 143}, "interrupted (HUP, INT, TERM)"},
	}
	ExitsOfCheck = Exits{
		{[]int{0}, "OK"},
		{[]int{1}, "WARNING: the key expires soon, or not everything is proven"},
		{[]int{2}, "CRITICAL: the key expires very soon, or the web server does not use it"},
		{[]int{3}, "UNKNOWN: the state was not determined, or a result could not be written"},
	}
)

// Means is the meaning of a code; one that is not among them is named.
func (e Exits) Means(code int) string {
	for _, row := range e {
		if slices.Contains(row.Codes, code) {
			return row.Means
		}
	}
	return fmt.Sprintf("exit code %d", code)
}

// String is the table as help shows it.
func (e Exits) String() string {
	var b strings.Builder
	for _, row := range e {
		fmt.Fprintf(&b, "  %s  %s\n", strings.Trim(strings.ReplaceAll(fmt.Sprint(row.Codes), " ", ", "), "[]"), row.Means)
	}
	return b.String()
}
