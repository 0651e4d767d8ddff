package peers

import "renew_mnetkeys/envelope"

// weakBits is the size, in bits, below which Go's crypto/rsa takes no key by itself. OpenSSL does,
// and so do the peers: go.mod has rsa1024min=0 for their sake.
const weakBits = 1024

// warnWeak says once of a peer that its key is one that can be broken. No certificate (nil) is no
// matter.
func (t *talk) warnWeak(c *envelope.Certificate) {
	if c == nil || c.PublicKey.N.BitLen() >= weakBits {
		return
	}
	if _, warned := t.c.weak.LoadOrStore(t.peer.Wwwroot, true); !warned {
		t.c.o.Log.Warn().Str("peer", clean(t.peer.Wwwroot, detailLimit)).Int("bits", c.PublicKey.N.BitLen()).
			Msg("its key is so short that it can be broken: anybody may speak in its name")
	}
}
