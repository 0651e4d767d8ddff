package run

import (
	"errors"
	"testing"

	"renew_mnetkeys/rotate"
)

// A tenant that could not be read has not shown that it has no key to go back to.
func TestOnlyATenantThatWasReadIsSaidToHaveNoKeyToGoBackTo(t *testing.T) {
	down, other := errors.New("connection refused"), &rotate.OtherSiteError{Wwwroot: "https://a.example", Row: "https://b.example"}
	none := rotate.TenantReport{NoBack: rotate.ErrNothingRetired}
	failed := func(err error) rotate.TenantReport { return rotate.TenantReport{Err: err} }
	has := rotate.TenantReport{Back: &rotate.KeyReport{}}
	for name, c := range map[string]struct {
		found []rotate.TenantReport
		err   error
		exit  int
	}{
		"one could not be read":          {[]rotate.TenantReport{failed(down)}, down, rotate.ExitNotRenewed},
		"none could be read":             {[]rotate.TenantReport{failed(down), failed(down)}, down, rotate.ExitNotRenewed},
		"all databases are other sites'": {[]rotate.TenantReport{failed(other), failed(other)}, other, rotate.ExitUsage},
		"one of two has none":            {[]rotate.TenantReport{failed(down), none}, rotate.ErrNoneRetired, rotate.ExitNotRenewed},
		"all have none":                  {[]rotate.TenantReport{none, none}, rotate.ErrNoneRetired, rotate.ExitNotRenewed},
		"there is no tenant":             {nil, rotate.ErrNoneRetired, rotate.ExitNotRenewed},
		"one has none":                   {[]rotate.TenantReport{none}, rotate.ErrNothingRetired, rotate.ExitNotRenewed},
		"one of two has one":             {[]rotate.TenantReport{failed(down), has}, nil, rotate.ExitNotRenewed},
	} {
		if err := nothingToGoBackTo(c.found); !errors.Is(err, c.err) || exitFor(err) != c.exit {
			t.Errorf("%s: exit %d: %v", name, exitFor(err), err)
		}
	}
}
