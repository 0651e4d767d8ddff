package report_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"renew_mnetkeys/internal/report"
	"renew_mnetkeys/internal/testbed"
	"renew_mnetkeys/rotate"
)

// make pictures takes the picture of the page for the README.
func TestThePictureOfThePageIsSmall(t *testing.T) {
	name := filepath.Join(testbed.Root(t), "docs", "page.png")
	const width = 1180
	if os.Getenv("MNETKEYS_TEST_WRITE") != "" {
		address := file(t, written(t, advised{pictured()}, runWith(3)))
		newBrowser(t).run(t, address, "--screenshot="+name, "--window-size=1180,1050")
	}
	taken, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := png.DecodeConfig(bytes.NewReader(taken))
	if err != nil || size.Width != width || len(taken) > 150<<10 {
		t.Errorf("%d bytes, %d pixels wide, error %v", len(taken), size.Width, err)
	}
}

// pictured is an array of twelve sites, one of which is down, with the next step that the command
// advises.
func pictured() *report.Page {
	const sites, down = 12, 7
	page := report.New()
	for i := range sites {
		if i == down {
			continue
		}
		r := rotate.TenantReport{Wwwroot: site(i), Outcome: rotate.Renewed, SelfCheck: rotate.SelfProven,
			Certificate: lives(0, 28), Previous: lives(-20, 28), Peers: []rotate.PeerReport{}}
		if i == 4 {
			r.Outcome, r.Certificate, r.Previous = rotate.Kept, lives(-3, 28), nil
		}
		for j := range sites {
			link := peer(site(j), rotate.Accepted, string(rotate.ReasonDatabase), "", 1, 3)
			if j == down {
				link = peer(site(j), rotate.Pending, "connect", "dial tcp 192.0.2.7:443: connect: connection refused", 3, 2689)
				link.Next = link.Reason.NextStep(false)
			}
			if i != j {
				r.Peers = append(r.Peers, link)
			}
		}
		page.Add(r)
	}
	return page
}
