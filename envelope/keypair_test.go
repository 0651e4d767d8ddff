package envelope_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"renew_mnetkeys/envelope"
)

// secrets are texts that occur only in the private key.
func secrets(pair *envelope.KeyPair) []string {
	lines := strings.Split(pair.PEM, "\n")
	return []string{
		lines[3], "PRIVATE",
		pair.Private.D.String()[:20], pair.Private.D.Text(16)[:20],
		pair.Private.Primes[0].String()[:20], pair.Private.Primes[0].Text(16)[:20],
	}
}

func TestNoPrintShowsThePrivateKey(t *testing.T) {
	pair := testPair(t)
	type holder struct {
		Name string
		Pair *envelope.KeyPair
		More []envelope.KeyPair
	}
	held := holder{"held", pair, []envelope.KeyPair{*pair}}
	var missing *envelope.KeyPair

	for _, value := range []any{pair, *pair, held, &held, []*envelope.KeyPair{pair}, map[string]any{"k": *pair}, envelope.KeyPair{PEM: pair.PEM}, missing} {
		var printed []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%T: %v", value, err)
		}
		var logged bytes.Buffer
		log := zerolog.New(&logged)
		log.Debug().Interface("value", value).Any("any", value).Msg("")
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "value", value)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "value", value)
		printed = append(printed, string(encoded), logged.String(), fmt.Sprint(fmt.Errorf("with %v", value)))

		for _, text := range printed {
			for _, secret := range secrets(pair) {
				if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
					t.Errorf("%T prints %.300s", value, text)
				}
			}
		}
	}
	hidden := struct{ pair *envelope.KeyPair }{pair}
	for _, text := range []string{fmt.Sprintf("%v", hidden), fmt.Sprintf("%+v", hidden), fmt.Sprintf("%#v", hidden)} {
		if strings.Contains(text, "PRIVATE") {
			t.Errorf("an unexported field prints %.300s", text)
		}
	}
	if got := fmt.Sprint(pair); !strings.Contains(got, pair.Certificate.Fingerprint()) {
		t.Errorf("printed as %q, want its fingerprint", got)
	}
}

func TestHalvesOfTwoPairsDoNotBelongTogether(t *testing.T) {
	if _, err := envelope.ParseKeyPair(testPair(t).Certificate.PEM, otherPair(t).PEM); !errors.Is(err, envelope.ErrMismatch) {
		t.Errorf("%v, want ErrMismatch", err)
	}
}

func TestKeysThatCannotBeReadAreToldWithoutShowingThem(t *testing.T) {
	pair := testPair(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(pair.PEM, "\n")
	for name, c := range map[string]struct {
		certificate, key string
		want             error
	}{
		"no key":                     {pair.Certificate.PEM, "", envelope.ErrPrivateKey},
		"a certificate for the key":  {pair.Certificate.PEM, pair.Certificate.PEM, envelope.ErrPrivateKey},
		"a key for the certificate":  {pair.PEM, pair.PEM, envelope.ErrCertificate},
		"a key that is cut":          {pair.Certificate.PEM, pair.PEM[:len(pair.PEM)/2], envelope.ErrPrivateKey},
		"a key that lacks a line":    {pair.Certificate.PEM, strings.Join(append(append([]string{}, lines[:5]...), lines[6:]...), ""), envelope.ErrPrivateKey},
		"a key under the wrong name": {pair.Certificate.PEM, strings.ReplaceAll(pair.PEM, "PRIVATE KEY", "RSA PRIVATE KEY"), envelope.ErrPrivateKey},
		"a key that is not RSA":      {pair.Certificate.PEM, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), envelope.ErrPrivateKey},
		"two keys":                   {pair.Certificate.PEM, pair.PEM + pair.PEM, envelope.ErrPrivateKey},
	} {
		_, err := envelope.ParseKeyPair(c.certificate, c.key)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), "BEGIN") || len(fmt.Sprint(err)) > 100 {
			t.Errorf("%s: error tells too much: %v", name, err)
		}
	}
}
