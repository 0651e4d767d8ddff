package testbed

import (
	"slices"
	"testing"
)

func TestPHPSites(t *testing.T) {
	stock, patched := PHPSite(t, Options{Kind: Stock}), PHPSite(t, Options{Kind: Patched, Prefix: "x_"})
	stock.Peer(t, patched)
	for _, pair := range [][2]*Site{{stock, patched}, {patched, stock}} {
		if c := pair[0].Call(t, pair[1].Wwwroot); !c.OK || !slices.Equal(c.Services, []string{"sso_idp", "sso_sp"}) {
			t.Fatalf("%+v", c)
		}
	}
}
