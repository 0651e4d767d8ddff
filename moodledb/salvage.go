package moodledb

import (
	"fmt"
	"regexp"
	"strings"
)

// Salvage gives the key pairs in a damaged copy of plugin mnet's settings, as settings that have no
// others, for [PairsIn]: PHP's serialize leaves text as it is. Of a pair that is not whole nothing is
// left to lose.
func Salvage(damaged []byte) map[string]string {
	settings := map[string]string{}
	if pair := wholePair.Find(damaged); pair != nil {
		settings["openssl"] = string(pair)
	}
	var history strings.Builder
	retired := wholeRetired.FindAllSubmatch(damaged, -1)
	for i, pair := range retired {
		fmt.Fprintf(&history, "i:%d;a:2:{%s%s%s%s}", i, serializeString("certificate"), serializeString(string(pair[1])),
			serializeString("keypair_PEM"), serializeString(string(pair[2])))
	}
	if len(retired) > 0 {
		settings["openssl_history"] = fmt.Sprintf("a:%d:{%s}", len(retired), history.String())
	}
	return settings
}

// These are config_plugins mnet/openssl, and a pair of openssl_history (mnet/lib.php,
// mnet_get_keypair).
var (
	wholePair    = regexp.MustCompile(wholeCertificate + pairSeparator + wholeKey)
	wholeRetired = regexp.MustCompile(`"(` + wholeCertificate + `)";s:11:"keypair_PEM";s:\d+:"(` + wholeKey + `)"`)
)

const (
	wholeCertificate = `-----BEGIN CERTIFICATE-----[^@"]+`
	wholeKey         = `-----BEGIN [A-Z ]*PRIVATE KEY-----[^@"]+-----END [A-Z ]*PRIVATE KEY-----\n?`
)
