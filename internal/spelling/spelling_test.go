package spelling

import "testing"

func TestDistanceCountsWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"verify", "verify", 0}, {"verfy", "verify", 1}, {"push", "posh", 1}, {"status", "statsu", 2}, {"kitten", "sitting", 3}} {
		if there, back := Distance(c.a, c.b), Distance(c.b, c.a); there != c.want || back != c.want {
			t.Errorf("%q, %q: %d and %d, want %d", c.a, c.b, there, back, c.want)
		}
	}
}
