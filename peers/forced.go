package peers

import (
	"context"

	"renew_mnetkeys/rotate"
)

// TakesForce tells a Moodle that is patched for VMoodle from one as released, by
// a forced keyswap in the name of own's wwwroot with a slash behind it. The patch
// looks that name up as it is, finds no host, and answers a false; without the
// patch the certificate comes whoever asks, and the force is not looked at.
//
// It must be asked of a peer only that has just proven to hold own's certificate
// (Prove). Then the question changes nothing there, whatever the peer makes of it:
//
//   - Stock Moodle without mnet_register_allhosts writes nothing (mnet_keyswap() in
//     mnet/xmlrpc/serverlib.php; the same with ext/xmlrpc and with PhpXmlRpc).
//   - With it, mnet_peer::bootstrap() in mnet/peer.php takes the slash off before
//     it looks the host up. It finds the row of the proof, adds none, and
//     commit() writes back what was read. A peer without a row of us would get one:
//     hence the proof first.
//   - A patch that took the slash off too would store the very certificate that its
//     row holds. One that has a second row, with the slash, refuses it there:
//     check_credentials() compares the certificate's subjectAltName with the row.
//
// A Mahara is not asked: as released it drops the slash as well (dropslash() in
// htdocs/lib/peer.php), and no answer of its patched form is known. The failure is
// nil where the mode is known or nothing was asked.
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
