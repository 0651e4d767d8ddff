package rotate

import (
	"crypto/sha256"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
)

// Selection says which tenants of an array a run renews.
type Selection struct {
	Match, Exclude Globs // an empty Match matches all
	Shard, Shards  int   // this machine's part, from 0, and the number of parts; 0: one machine
}

// Includes reports whether a tenant is selected.
func (s Selection) Includes(wwwroot string) bool {
	return (len(s.Match) == 0 || s.Match.Match(wwwroot)) && !s.Exclude.Match(wwwroot) &&
		(s.Shards < 2 || shardOf(wwwroot, s.Shards) == s.Shard)
}

// Globs are patterns of whole wwwroots: * matches any characters, including slashes, and ? matches
// one.
type Globs []string

// Match reports whether one of the globs matches.
func (g Globs) Match(wwwroot string) bool {
	return slices.ContainsFunc(g, func(glob string) bool { return globMatches(glob, wwwroot) })
}

// globMatches supports * for any characters, including slashes, and ? for one.
func globMatches(glob, wwwroot string) bool {
	pattern := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(glob))
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(wwwroot)
}

// shardOf depends only on the wwwroot, so that a tenant stays in its shard when other tenants are
// added or removed.
func shardOf(wwwroot string, shards int) int {
	sum := sha256.Sum256([]byte(wwwroot))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(shards))
}
