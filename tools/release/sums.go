package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"
)

const sumsFile = "SHA256SUMS"

// sum writes SHA256SUMS, and its signature if there is a key.
func (r *release) sum() error {
	entries, err := os.ReadDir(r.dist)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "renew") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(r.dist, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	if err := writeFile(filepath.Join(r.dist, sumsFile), sums.Bytes()); err != nil {
		return err
	}
	key, err := signingKey()
	if err != nil {
		return err
	}
	if key == nil {
		fmt.Fprintln(os.Stderr, "release: "+sumsFile+" is not signed: neither MINISIGN_KEY nor MINISIGN_KEY_FILE is set")
		return nil
	}
	return writeFile(filepath.Join(r.dist, sumsFile+".minisig"), sign(*key, sums.Bytes(), r))
}

// signingKey is minisign's secret key (minisign -G), from the environment: MINISIGN_KEY, or the
// file MINISIGN_KEY_FILE; MINISIGN_PASSWORD opens it if it is encrypted. It is nil if neither is
// set. No error shows a part of it.
func signingKey() (*minisign.PrivateKey, error) {
	text := []byte(os.Getenv("MINISIGN_KEY"))
	if file := os.Getenv("MINISIGN_KEY_FILE"); len(text) == 0 && file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("signing key: %w", err)
		}
	}
	if len(text) == 0 {
		return nil, nil
	}
	if minisign.IsEncrypted(text) {
		key, err := minisign.DecryptKey(os.Getenv("MINISIGN_PASSWORD"), text)
		if err != nil {
			return nil, errors.New("signing key: MINISIGN_PASSWORD does not open it")
		}
		return &key, nil
	}
	var key minisign.PrivateKey
	if err := key.UnmarshalText(text); err != nil {
		return nil, errors.New("signing key: it is not a secret key of minisign")
	}
	return &key, nil
}

// sign has the commit's time in the trusted comment, so that the signature can be made again too.
func sign(key minisign.PrivateKey, sums []byte, r *release) []byte {
	hashed := minisign.NewReader(bytes.NewReader(sums))
	_, _ = io.Copy(io.Discard, hashed) // from memory
	trusted := fmt.Sprintf("timestamp:%d\tfile:%s\tversion:%s\trevision:%s", r.time.Unix(), sumsFile, r.version, r.revision)
	return hashed.SignWithComments(key, trusted, "signature of renew_mnetkeys "+r.version)
}
