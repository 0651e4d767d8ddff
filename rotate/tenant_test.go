package rotate

import (
	"fmt"
	"strings"
	"testing"
)

// A stored pair may get into a log inside of anything that contains it.
func TestAStoredPairPrintsNothingOfItsKey(t *testing.T) {
	const secret = "TUlJRXZR"
	pair := Stored{Certificate: "certificate " + secret, PrivateKey: "private key " + secret}
	for name, value := range map[string]any{
		"a pair": pair, "a pointer to one": &pair, "a retired one": Retired{Stored: pair}, "what is to be stored": Keys{Stored: pair, History: []Retired{{Stored: pair}}},
		"a tenant": Tenant{Pair: pair, History: []Retired{{Stored: pair}}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08.3f"} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) || strings.Contains(text, fmt.Sprintf("%X", secret)) {
				t.Errorf("%s under %s: %s", name, verb, text)
			}
			if !strings.Contains(text, "[key pair]") {
				t.Errorf("%s under %s does not say what it is: %s", name, verb, text)
			}
		}
	}
}
