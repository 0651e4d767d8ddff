package rotate

import (
	"crypto/sha256"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
)

// Selection is which tenants of an array a run renews.
type Selection struct {
	Match, Exclude Globs // no Match matches all
	Shard, Shards  int   // this machine's part, from 0, of so many; Shards 0 is one machine
}

// Includes tells whether a tenant is selected.
func (s Selection) Includes(wwwroot string) bool {
	return (len(s.Match) == 0 || s.Match.Match(wwwroot)) && !s.Exclude.Match(wwwroot) &&
		(s.Shards < 2 || shardOf(wwwroot, s.Shards) == s.Shard)
}

// Globs are patterns of whole wwwroots: * is any characters, slashes too, and ? is one.
type Globs []string

// Match tells whether one of the globs matches.
func (g Globs) Match(wwwroot string) bool {
	return slices.ContainsFunc(g, func(glob string) bool { return globMatches(glob, wwwroot) })
}

// globMatches knows * for any characters, slashes too, and ? for one.
func globMatches(glob, wwwroot string) bool {
	pattern := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(glob))
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(wwwroot)
}

// shardOf depends on nothing but the wwwroot, so that a tenant stays in its
// shard when others come and go.
func shardOf(wwwroot string, shards int) int {
	sum := sha256.Sum256([]byte(wwwroot))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(shards))
}
