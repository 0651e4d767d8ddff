package muc

import (
	"crypto/md5" // Moodle names its entries by these hashes
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// Bits of a definition's selectedsharingoption (cache_definition::SHARING_*).
const (
	sharingAll     = 1 // with every site: overrides the others
	sharingSite    = 2 // by site identifier, the default
	sharingVersion = 4 // by $CFG->version
	sharingKey     = 8 // by userinputsharingkey
)

var errVersionShared = errors.New("entries are shared by Moodle version, which is not settled yet when Moodle names them")

// entryNames are the names under which the stores may have the entries of a renewal: the file's
// name without .cache, the field of a Redis hash. identifier is the siteidentifier of table config.
// The error says why they cannot be named for certain.
func (c *configuration) entryNames(identifier string) ([]string, error) {
	return c.namesOf(identifier, "mnet", "core")
}

// namesOf is entryNames for some keys of core/config.
func (c *configuration) namesOf(identifier string, keys ...string) ([]string, error) {
	if c.sharing&sharingAll == 0 && c.sharing&sharingVersion != 0 {
		// cache_helper::get_site_version() is called while $CFG is loaded from this very cache: its
		// result depends on Moodle's release.
		return nil, errVersionShared
	}
	sites := []string{c.siteIdentifier}
	if c.siteIdentifier == "" {
		// Until muc/config.php has it, a request uses the word unknown, and a request that has
		// loaded its configuration uses the hash.
		sites = []string{md5Hex(identifier), "unknown"}
	}
	var names []string
	for _, site := range sites {
		for _, key := range keys {
			if name := entryName(c.cacheIdentifier(site), key); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// cacheIdentifier is cache_definition::get_cache_identifier().
func (c *configuration) cacheIdentifier(site string) string {
	var parts []string
	if c.sharing&sharingAll == 0 {
		if c.sharing&sharingSite != 0 {
			parts = append(parts, site)
		}
		if c.sharing&sharingKey != 0 && c.sharingKey != "" && c.sharingKey != "0" { // PHP's empty()
			parts = append(parts, c.sharingKey)
		}
	}
	return strings.Join(parts, "/")
}

// entryName is cache_helper::hash_key() of a key of core/config, which is the hash of a hash.
func entryName(cacheIdentifier, key string) string {
	sum := sha1.Sum([]byte(md5Hex("1/"+definitionID+"/"+cacheIdentifier) + "-" + key))
	return hex.EncodeToString(sum[:])
}

// definitionHash is cache_definition::generate_definition_hash() of core/config, the Redis key
// without the store's prefix.
func definitionHash() string { return md5Hex("1 core config") }

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
