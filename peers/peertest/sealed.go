package peertest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"html"
	"io"
	"regexp"
	"time"

	"renew_mnetkeys/envelope"
)

// SealCall signs payload with key as the site from, and seals it to the peer whose public key is
// to. The result is the body of a sealed call, or of the answer to one.
func SealCall(payload []byte, from string, stamped time.Time, key *rsa.PrivateKey, to *rsa.PublicKey, random io.Reader) ([]byte, error) {
	signed, err := envelope.Sign(payload, from, stamped, key)
	if err != nil {
		return nil, err
	}
	return envelope.Seal(signed, from, to, random)
}

var outerWwwroot = regexp.MustCompile(`<wwwroot>([^<]*)</wwwroot>`)

// sealedCall opens, verifies and carries out a sealed call, and seals the answer:
// mnet_server_strip_encryption, mnet_server_strip_signature and mnet_server_dispatch of
// mnet/xmlrpc/serverlib.php, in that order.
func (v *visit) sealedCall() []byte {
	if found := outerWwwroot.FindSubmatch(v.body); found != nil {
		v.log.From = html.UnescapeString(string(found[1]))
	}
	held, known, err := v.o.Store.Held(v.ctx, v.log.From)
	switch {
	case err != nil:
		return v.fault(0, "Error reading from database")
	case !known && v.o.Kind == Mahara:
		return v.fault(6003, generic)
	case !known:
		return v.fault(7020, v.log.From+"/wrong-wwwroot")
	}
	if v.faults.has(NoRC4) {
		v.log.SealedTo = v.sealedTo()
		return v.fault(7023, "mnet/encryption-invalid")
	}
	caller, err := envelope.ParseCertificate(held)
	if err != nil && v.o.Kind == Mahara {
		return v.fault(1, "Could not generate public key resource from certificate")
	}
	current, history, err := v.keys(v.ctx, v.faults)
	if err != nil {
		return v.fault(0, "Error reading from database")
	}
	pairs := append([]*envelope.KeyPair{current}, history...)
	signed, key, err := envelope.OpenCall(v.body, privates(pairs)...)
	switch {
	case errors.Is(err, envelope.ErrCannotOpen) && v.o.Kind == Mahara:
		return v.seal(v.fault(7025, "We know nothing about the key used to encrypt this message"), current, caller)
	case errors.Is(err, envelope.ErrCannotOpen):
		v.log.SealedTo = v.sealedTo()
		return v.fault(7023, "mnet/encryption-invalid")
	case err != nil:
		return v.fault(7022, "mnet/verifysignature-error")
	}
	v.log.SealedTo = pairs[key].Certificate.PEM
	switch {
	case key > 0 && v.o.Kind == Mahara:
		return v.seal(v.fault(7025, current.Certificate.PEM), current, caller)
	case key > 0:
		return v.seal(v.fault(7025, current.Certificate.PEM), pairs[key], caller)
	}
	return v.signedCall(signed, current, caller)
}

// sealedTo is the certificate to which the call is sealed, if the store or the node's cache has it.
func (v *visit) sealedTo() string {
	current, history, err := v.o.Store.Keys(v.ctx)
	if err != nil || current == nil {
		return ""
	}
	pairs := append([]*envelope.KeyPair{current}, history...)
	if stale, staleHistory, caches := v.cached(v.ctx); caches {
		pairs = append(append(pairs, stale), staleHistory...)
	}
	opened, err := envelope.Open(v.body, privates(pairs)...)
	if err != nil {
		return ""
	}
	return pairs[opened.Key].Certificate.PEM
}

func privates(pairs []*envelope.KeyPair) []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, len(pairs))
	for i, pair := range pairs {
		keys[i] = pair.Private
	}
	return keys
}

// signedCall verifies the signature, heals if it does not verify, and dispatches.
func (v *visit) signedCall(signed *envelope.Signed, current *envelope.KeyPair, caller *envelope.Certificate) []byte {
	if caller == nil {
		return v.seal(v.fault(710, "mnet/verifysignature-invalid"), current, nil)
	}
	if signed.Verify(caller.PublicKey) != nil {
		renewed := v.heal(v.ctx, v.log.From, caller, v.faults)
		if renewed == nil || signed.Verify(renewed.PublicKey) != nil {
			if v.o.Kind == Mahara {
				return v.fault(6004, generic)
			}
			return v.seal(v.fault(710, "mnet/verifysignature-invalid"), current, caller)
		}
		caller = renewed
		if v.o.Kind == Mahara { // it has healed, and this call fails all the same
			v.log.Verified = true
			return v.fault(0, generic)
		}
	}
	v.log.Verified = true
	call, err := parseCall(signed.Payload)
	if err != nil {
		return v.fault(713, "mnet/nosuchfunction")
	}
	v.log.Method, v.log.Params = call.Method, len(call.Params)
	payload := v.dispatch(call.Method)
	if code, ok := v.faults.number("answers sealed fault "); ok {
		payload = v.fault(code, "as asked for")
	}
	if v.faults.has(Unsealed) {
		return payload
	}
	return v.seal(payload, current, caller)
}

// dispatch carries out the one method that needs no service.
func (v *visit) dispatch(method string) []byte {
	switch {
	case method != "system/listServices" && v.o.Kind == Mahara:
		return v.fault(6010, generic)
	case method != "system/listServices":
		return v.fault(7018, "mnet/nosuchfunction")
	case v.log.From == v.o.Wwwroot:
		return encodeValue(v.o.Modern, "<array>\n<data/>\n</array>")
	}
	number := "<string>1</string>"
	if v.o.Kind == Mahara {
		number = "<int>1</int>"
	}
	return encodeValue(v.o.Modern, "<array>\n<data>\n<value><struct>\n"+
		"<member><name>name</name>\n<value><string>sso_idp</string></value>\n</member>\n"+
		"<member><name>apiversion</name>\n<value>"+number+"</value>\n</member>\n"+
		"</struct></value>\n</data>\n</array>")
}

// seal signs an answer and seals it to the caller's certificate that the site has.
func (v *visit) seal(payload []byte, by *envelope.KeyPair, to *envelope.Certificate) []byte {
	if to == nil { // mnet_encrypt_message in mnet/lib.php
		return nil
	}
	if v.faults.has(BadSignature) {
		by = NewKeyPair("http://foreign.example", 1024)
	}
	if v.faults.has(OtherSeal) {
		to = NewKeyPair("http://foreign.example", 1024).Certificate
	}
	if former := v.formerly(v.log.From); v.faults.has(OldSeal) && former != nil {
		to = former
	}
	payload = v.faults.noisy(payload, InSeal(""))
	stamped := v.o.Now().Add(v.faults.duration("clock ahead "))
	name, err := v.named(v.ctx)
	if err != nil {
		return v.fault(0, "cannot read the local host row")
	}
	body, err := SealCall(payload, name, stamped, by.Private, to.PublicKey, rand.Reader)
	if err != nil {
		return v.fault(0, "cannot seal")
	}
	if v.o.Kind == Mahara {
		body = bytes.Replace(body, []byte("</wwwroot>"), []byte("</wwwroot>\n        <X1>nothing</X1>"), 1)
	}
	return body
}
