package rotate

import (
	"fmt"
	"strings"

	"renew_mnetkeys/envelope"
)

// moveMessage is a text for the administrator of a peer, ready to be sent by mail. Moodle's form
// accepts another wwwroot only together with a certificate that names it (admin/mnet/peers.php,
// check_credentials in mnet/peer.php), and so does Mahara's (save_config_options in
// htdocs/auth/xmlrpc/lib.php), so the text has the certificate. Mahara's users belong to the
// authentication instance, not to a row of the site.
func moveMessage(from string, t *Tenant) string {
	c, err := envelope.ParseCertificate(t.Pair.Certificate)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(`Subject: %[2]s has a new address: please change it in your MNet peers

The Moodle site "%[1]s" has moved.

  old address: %[3]s
  new address: %[2]s
  SHA-256 fingerprint of its new MNet certificate:
  %[4]s

A mail can be forged: before you change anything, compare both addresses and
the fingerprint with us by telephone. Make sure that the certificate at the
end of this mail has this fingerprint; to see it, save the certificate as
mnet.pem and run: openssl x509 -in mnet.pem -noout -fingerprint -sha256

Until you change the old address on your site, users cannot log in between
the two sites. Please do not add the new address as another peer, and do not
delete the old one: your users belong to the old entry.

In Moodle: Site administration > Networking > Manage peers, choose the site.
Replace the old address in "Hostname" by the new one and the text in
"Public key" by the certificate below, both at once, and save.

Or in Moodle's database (with your prefix instead of mdl_):

  UPDATE mdl_mnet_host SET wwwroot = '%[5]s' WHERE wwwroot = '%[6]s';

Your site then fetches the certificate by itself.

In Mahara: edit the institution and choose its XMLRPC authentication. Replace
the old address in "WWW root" by the new one and the text in "Public key" by
the certificate below, both at once, and save. Do not add another one: your
users belong to the old one.

%[7]s`, strings.Join(strings.Fields(t.Site), " "), t.Wwwroot, from, colons(c.Fingerprint()), sqlText(t.Wwwroot), sqlText(from), c.PEM)
}

// colons writes a fingerprint as OpenSSL does: A1:B2:…
func colons(hex string) string {
	var b strings.Builder
	for i := 0; i+1 < len(hex); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(hex[i : i+2]))
	}
	return b.String()
}

// sqlText is a text inside of quotes in SQL.
func sqlText(s string) string { return strings.ReplaceAll(s, "'", "''") }
