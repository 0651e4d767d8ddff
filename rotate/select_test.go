package rotate

import (
	"fmt"
	"testing"
)

func TestWhichTenantsAreSelected(t *testing.T) {
	const wwwroot = "https://lycee.example.org/moodle"
	for _, c := range []struct {
		name string
		s    Selection
		want bool
	}{
		{"all, where nothing is said", Selection{}, true},
		{"a glob over the whole wwwroot", Selection{Match: []string{"https://*.example.org/*"}}, true},
		{"a star reaches over slashes", Selection{Match: []string{"*moodle"}}, true},
		{"a part is not enough", Selection{Match: []string{"lycee"}}, false},
		{"a question mark is one character", Selection{Match: []string{"https://lyce?.example.org/moodle"}}, true},
		{"a dot is a dot", Selection{Match: []string{"https://lycee.example?org/moodle", "https://lyceeXexample.org/moodle"}}, true},
		{"brackets are no class", Selection{Match: []string{"https://[a-z]*"}}, false},
		{"one of several", Selection{Match: []string{"nothing", "https://lycee*"}}, true},
		{"an exclusion wins", Selection{Match: []string{"*"}, Exclude: []string{"*lycee*"}}, false},
	} {
		if got := c.s.Includes(wwwroot); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestEveryTenantIsInOneShard(t *testing.T) {
	const shards = 4
	var size [shards]int
	for i := range 1000 {
		wwwroot := fmt.Sprintf("https://t%d.example", i)
		in := 0
		for shard := range shards {
			if (Selection{Shard: shard, Shards: shards}).Includes(wwwroot) {
				in++
				size[shard]++
			}
		}
		if in != 1 {
			t.Fatalf("%s is in %d shards", wwwroot, in)
		}
	}
	for shard, n := range size {
		if n < 150 {
			t.Errorf("shard %d has %d of 1000", shard, n)
		}
	}
}
