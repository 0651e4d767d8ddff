package peers

import (
	"context"

	"renew_mnetkeys/rotate"
)

// TakesForce distinguishes a Moodle that is patched for VMoodle from a released one, by a forced
// keyswap in the name of own's wwwroot with a slash appended. The patch looks that name up
// unchanged, finds no host, and answers false. Without the patch, Moodle answers the certificate to
// every caller and ignores the force.
//
// It must only be called for a peer that has just proven that it has own's certificate (Prove).
// Then the question changes nothing there, however the peer reads it:
//
//   - Stock Moodle without mnet_register_allhosts writes nothing (mnet_keyswap() in
//     mnet/xmlrpc/serverlib.php; the same with ext/xmlrpc and with PhpXmlRpc).
//   - With it, mnet_peer::bootstrap() in mnet/peer.php removes the slash before
//     it looks the host up. It finds the row of the proof, adds none, and
//     commit() writes back what was read. A peer without a row of this site
//     would get one: therefore the proof comes first.
//   - A patch that removed the slash too would store the same certificate that its
//     row already has. If there is a second row, with the slash, the patch refuses:
//     check_credentials() compares the certificate's subjectAltName with the row.
//
// A Mahara is not asked: the released one drops the slash as well (dropslash() in
// htdocs/lib/peer.php), and no answer of a patched one is known. The failure is nil if the mode is
// known or nothing was asked.
func (c *Client) TakesForce(ctx context.Context, own rotate.Identity, p rotate.Peer) (rotate.Forced, *rotate.Failure) {
	if p.Application == mahara {
		return rotate.ForcedUnknown, nil
	}
	a, f := c.talk(own, p).post(ctx, encodeCall("system/keyswap", own.Wwwroot+"/", own.Key.Certificate.PEM, p.Application, 1))
	if f != nil {
		return rotate.ForcedUnknown, f
	}
	if value, _, err := decodeAnswer(a.body); err == nil {
		if known, ok := value.(bool); ok && !known {
			return rotate.ForcedTaken, nil
		}
	}
	if _, f := readKeyswap(p, a); f != nil {
		return rotate.ForcedUnknown, f
	}
	return rotate.ForcedIgnored, nil
}
