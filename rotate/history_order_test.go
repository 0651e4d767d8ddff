package rotate

import (
	"testing"

	"renew_mnetkeys/peers/peertest"
)

// A pair that only the cache has is the one that the web server uses.
func TestOfPairsMadeInTheSameSecondTheOneOfTheCacheIsTheNewest(t *testing.T) {
	first, second := peertest.NewKeyPair("https://a.example", 1024), peertest.NewKeyPair("https://a.example", 1024)
	for !first.Certificate.NotBefore.Equal(second.Certificate.NotBefore) {
		first, second = second, peertest.NewKeyPair("https://a.example", 1024)
	}
	retired := func(certificate, key string) Retired {
		return Retired{Stored: Stored{Certificate: certificate, PrivateKey: key}, Expires: 2}
	}
	stored, cached := retired(first.Certificate.PEM, first.PEM), retired(second.Certificate.PEM, second.PEM)
	stored.Expires = first.Certificate.NotAfter.Unix()
	if got := byAge([]Retired{cached}, []Retired{stored}); len(got) != 2 || got[0].Stored != cached.Stored {
		t.Error("the pair of the cache is not the first")
	}
}
