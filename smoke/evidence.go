package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"renew_mnetkeys/envelope"
)

func want[T comparable](got, want T) error {
	if got != want {
		return fmt.Errorf("%v, want %v", got, want)
	}
	return nil
}

func wantOneOf(got string, want []string) error {
	if !slices.Contains(want, got) {
		return fmt.Errorf("%q, want %q", got, want)
	}
	return nil
}

func sameCertificate(got, want *envelope.Certificate) error {
	if got.Equal(want) {
		return nil
	}
	if got == nil {
		return errors.New("none")
	}
	return fmt.Errorf("it is %s, want %s", got.Fingerprint(), want.Fingerprint())
}

func sameHistory(got, want []*envelope.KeyPair) error {
	same := func(a, b *envelope.KeyPair) bool {
		return a.Certificate.Equal(b.Certificate) && a.Private.Equal(b.Private)
	}
	if slices.EqualFunc(got, want, same) {
		return nil
	}
	return fmt.Errorf("it is %v, want %v", got, want) // a pair prints as its fingerprint
}

// secretsOf are the forms in which a private key could appear in an output: the lines of its PEM,
// short enough to survive a wrapping that keeps lines, and the numbers that %v prints of an
// rsa.PrivateKey.
func secretsOf(pairs []*envelope.KeyPair) (secrets []string) {
	for _, pair := range pairs {
		for line := range strings.Lines(pair.PEM) {
			if line = strings.TrimSpace(line); len(line) > 16 && !strings.HasPrefix(line, "-----") {
				secrets = append(secrets, line)
			}
		}
		for _, number := range append(pair.Private.Primes, pair.Private.D) {
			secrets = append(secrets, number.String(), number.Text(16))
		}
	}
	return secrets
}

// fresh says why the cached entry would keep the web server on another pair than the database's.
func (w *webSide) fresh(stored map[string]string) error {
	cached, err := w.cached()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && cached["openssl"] != stored["openssl"] {
		err = errors.New("it holds another pair")
	}
	return err
}

func pairCertificate(settings map[string]string) string {
	certificate, _, _ := strings.Cut(settings["openssl"], pairSeparator)
	return certificate
}

var pemBlock = regexp.MustCompile(`(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----`)

// fetchCertificate reads a certificate as any client would: from whatever text is around it, a page
// or an XML-RPC answer.
func fetchCertificate(ctx context.Context, method, url, body string) (*envelope.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/xml")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return envelope.ParseCertificate(pemBlock.FindString(html.UnescapeString(string(answer))) + "\n")
}

// keyswap is the stock form, without force.
func keyswap(from peer) string {
	var body strings.Builder
	body.WriteString(`<?xml version="1.0" encoding="utf-8"?><methodCall><methodName>system/keyswap</methodName><params>`)
	for _, value := range []string{from.wwwroot, from.site.Certificate(), "moodle"} {
		body.WriteString("<param><value><string>" + html.EscapeString(value) + "</string></value></param>")
	}
	return body.String() + "</params></methodCall>"
}
