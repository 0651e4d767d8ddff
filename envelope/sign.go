package envelope

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// sha1Digest is the identifier of XML Signature §6.2.1.
const sha1Digest = dsig.Namespace + "sha1"

// Sign wraps payload in a signedMessage of wwwroot with a timestamp in whole seconds, byte for byte
// as Moodle's mnet_sign_message does. The signature covers neither wwwroot nor timestamp.
func Sign(payload []byte, wwwroot string, stamped time.Time, key *rsa.PrivateKey) ([]byte, error) {
	if len(payload) > MaxSize {
		return nil, fmt.Errorf("sign: %w", ErrTooLarge)
	}
	signature, err := signPayload(payload, key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}

	root := etree.NewElement("signedMessage")
	outer := root.CreateElement(dsig.SignatureTag)
	outer.CreateAttr("Id", "MoodleSignature")
	outer.CreateAttr("xmlns", dsig.Namespace)
	info := outer.CreateElement(dsig.SignedInfoTag)
	info.CreateElement(dsig.CanonicalizationMethodTag).
		CreateAttr(dsig.AlgorithmAttr, dsig.CanonicalXML10RecAlgorithmId.String())
	info.CreateElement(dsig.SignatureMethodTag).CreateAttr(dsig.AlgorithmAttr, dsig.RSASHA1SignatureMethod)
	reference := info.CreateElement(dsig.ReferenceTag)
	reference.CreateAttr(dsig.URIAttr, "#XMLRPC-MSG")
	reference.CreateElement(dsig.DigestMethodTag).CreateAttr(dsig.AlgorithmAttr, sha1Digest)
	reference.CreateElement(dsig.DigestValueTag).SetText(digest(payload))
	outer.CreateElement(dsig.SignatureValueTag).SetText(base64.StdEncoding.EncodeToString(signature))
	outer.CreateElement(dsig.KeyInfoTag).CreateElement("RetrievalMethod").
		CreateAttr(dsig.URIAttr, wwwroot+"/mnet/publickey.php")

	object := root.CreateElement("object")
	object.CreateAttr(dsig.DefaultIdAttr, "XMLRPC-MSG")
	object.SetText(base64.StdEncoding.EncodeToString(payload))
	root.CreateElement("wwwroot").SetText(wwwroot)
	root.CreateElement("timestamp").SetText(strconv.FormatInt(stamped.Unix(), 10))
	return render(root)
}

// signPayload is PHP's openssl_sign with its default digest. It signs the payload itself, whereas
// XML Signature §3.2 signs the canonical SignedInfo. goxmldsig signs SAML's query strings in the
// same way.
func signPayload(payload []byte, key *rsa.PrivateKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("no private key")
	}
	signer, err := dsig.NewSigningContext(key, nil)
	if err != nil {
		return nil, err
	}
	if err := signer.SetSignatureMethod(dsig.RSASHA1SignatureMethod); err != nil {
		return nil, err
	}
	return signer.SignString(string(payload))
}

// digest is hexadecimal because PHP's sha1 returns that; XML Signature §4.3.3.6 demands base64.
func digest(payload []byte) string {
	sum := sha1.Sum(payload)
	return hex.EncodeToString(sum[:])
}

// Signed is a signedMessage whose digest is right and whose signature is not verified yet.
type Signed struct {
	Payload []byte
	Wwwroot string    // of the signer, according to the document
	Stamped time.Time // UTC, whole seconds, by the signer's clock

	signature []byte
}

// ParseSigned reads a signedMessage and compares its digest with the payload. The errors are
// ErrTooLarge, ErrMalformed, ErrDoubled, ErrDTD, ErrDigest.
func ParseSigned(document []byte) (*Signed, error) {
	root, err := read(document, "signedMessage")
	if err != nil {
		return nil, err
	}
	signed := new(Signed)
	if signed.Payload, err = base64Leaf(root, "object"); err != nil {
		return nil, err
	}
	if signed.Wwwroot, err = leaf(root, "wwwroot"); err != nil {
		return nil, err
	}
	stamp, err := leaf(root, "timestamp")
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseUint(stamp, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: timestamp is not in unix seconds", root.Tag, ErrMalformed)
	}
	signed.Stamped = time.Unix(int64(seconds), 0).UTC()
	if signed.signature, err = readSignature(root, signed.Payload); err != nil {
		return nil, err
	}
	return signed, nil
}

// readSignature returns the signature's bytes after it has compared the digest with payload.
func readSignature(root *etree.Element, payload []byte) ([]byte, error) {
	outer, err := only(root, dsig.SignatureTag)
	if err != nil {
		return nil, err
	}
	info, err := only(outer, dsig.SignedInfoTag)
	if err != nil {
		return nil, err
	}
	if err := expectAlgorithm(info, dsig.RSASHA1SignatureMethod, dsig.SignatureMethodTag); err != nil {
		return nil, err
	}
	if err := expectAlgorithm(info, sha1Digest, dsig.ReferenceTag, dsig.DigestMethodTag); err != nil {
		return nil, err
	}
	// It is counted over the whole document, like every value that decides something.
	stated, err := leaf(root, dsig.SignatureTag, dsig.SignedInfoTag, dsig.ReferenceTag, dsig.DigestValueTag)
	if err != nil {
		return nil, err
	}
	if stated != digest(payload) {
		return nil, fmt.Errorf("read %s: %w", root.Tag, ErrDigest)
	}
	return base64Leaf(root, dsig.SignatureTag, dsig.SignatureValueTag)
}

// Verify says whether key made the signature over the payload, as PHP's openssl_verify does. The
// error is ErrSignature.
func (s *Signed) Verify(key *rsa.PublicKey) error {
	if key == nil {
		return fmt.Errorf("verify: %w: no key", ErrSignature)
	}
	sum := sha1.Sum(s.Payload)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], s.signature); err != nil {
		return fmt.Errorf("verify: %w: %v", ErrSignature, err)
	}
	return nil
}
