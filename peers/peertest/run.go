package peertest

import "testing"

// Run starts a site for the length of a test.
func Run(t testing.TB, o Options) *Site {
	t.Helper()
	site, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	return site
}
