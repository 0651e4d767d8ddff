package peers

import "renew_mnetkeys/envelope"

// weakBits is the size, in bits, below which Go's crypto/rsa by default accepts no key. OpenSSL and
// the peers do accept such keys, so go.mod has rsa1024min=0.
const weakBits = 1024

// warnWeak warns once per peer if its key is so short that it can be broken. No certificate (nil)
// is fine.
func (t *talk) warnWeak(c *envelope.Certificate) {
	if c == nil || c.PublicKey.N.BitLen() >= weakBits {
		return
	}
	if _, warned := t.c.weak.LoadOrStore(t.peer.Wwwroot, true); !warned {
		t.c.o.Log.Warn().Str("peer", clean(t.peer.Wwwroot, detailLimit)).Int("bits", c.PublicKey.N.BitLen()).
			Msg("its key is so short that it can be broken: anybody may speak in its name")
	}
}
