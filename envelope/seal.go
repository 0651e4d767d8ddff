package envelope

import (
	"bytes"
	"crypto/rand"
	"crypto/rc4"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Identifiers of XML Encryption §5.2 and §5.4; goxmldsig has none of them.
const (
	xmlenc       = "http://www.w3.org/2001/04/xmlenc#"
	arcfour      = xmlenc + "arcfour"
	rsaPKCS1     = xmlenc + "rsa-1_5"
	encryptedKey = "EncryptedKey"
)

// keySize is OpenSSL's key length for RC4, in bytes, and therefore that of every openssl_seal.
const keySize = 16

// Seal wraps document in an encryptedMessage of wwwroot that only the owner of to's private key can
// open, as Moodle's mnet_encrypt_message does. The RC4 key is read from random. The RSA padding
// always comes from the system's generator, since crypto/rsa lets no caller choose it.
func Seal(document []byte, wwwroot string, to *rsa.PublicKey, random io.Reader) ([]byte, error) {
	if len(document) > MaxSize {
		return nil, fmt.Errorf("seal: %w", ErrTooLarge)
	}
	if to == nil {
		return nil, errors.New("seal: no public key")
	}
	key := make([]byte, keySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("seal: make key: %w", err)
	}
	//lint:ignore SA1019 MNet seals with PKCS #1 v1.5; no peer understands anything else
	sealedKey, err := rsa.EncryptPKCS1v15(rand.Reader, to, key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}

	root := etree.NewElement("encryptedMessage")
	data := root.CreateElement("EncryptedData")
	info := describe(data, "ED", arcfour)
	retrieval := info.CreateElement("ds:RetrievalMethod")
	retrieval.CreateAttr(dsig.URIAttr, "#EK")
	retrieval.CreateAttr("Type", xmlenc+encryptedKey)
	info.CreateElement("ds:KeyName").SetText("XMLENC")
	addCipher(data, crypt(key, document))

	sealed := root.CreateElement(encryptedKey)
	describe(sealed, "EK", rsaPKCS1).CreateElement("ds:KeyName").SetText("SSLKEY")
	addCipher(sealed, sealedKey)
	sealed.CreateElement("ReferenceList").CreateElement("DataReference").CreateAttr(dsig.URIAttr, "#ED")
	sealed.CreateElement("CarriedKeyName").SetText("XMLENC")
	root.CreateElement("wwwroot").SetText(wwwroot)
	return render(root)
}

// describe writes the common beginning of EncryptedData and EncryptedKey and returns the KeyInfo to
// fill.
func describe(part *etree.Element, id, algorithm string) *etree.Element {
	part.CreateAttr("Id", id)
	part.CreateAttr("xmlns", xmlenc)
	part.CreateElement("EncryptionMethod").CreateAttr(dsig.AlgorithmAttr, algorithm)
	info := part.CreateElement("ds:KeyInfo")
	info.CreateAttr("xmlns:ds", dsig.Namespace)
	return info
}

func addCipher(part *etree.Element, value []byte) {
	part.CreateElement("CipherData").CreateElement("CipherValue").SetText(base64.StdEncoding.EncodeToString(value))
}

// crypt encrypts or decrypts with RC4. The key has keySize bytes, which RC4 accepts.
func crypt(key, data []byte) []byte {
	stream, err := rc4.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(data))
	stream.XORKeyStream(out, data)
	return out
}

// IsSealed says whether body is meant as an encryptedMessage. Open says whether Moodle would accept
// it as one.
func IsSealed(body []byte) bool {
	root := rootAt(body, "encryptedMessage")
	return root >= 0 && bytes.Contains(body[:root], []byte("<?xml"))
}

// Opened is the content of a seal.
type Opened struct {
	Document []byte
	Wwwroot  string // of the sender, according to the document
	Key      int    // index of the key that opened it
}

// Open undoes Seal with the first of keys that can, as PHP's openssl_open does. The errors are
// ErrTooLarge, ErrMalformed, *StrayError, ErrDoubled, ErrDTD and, if the document is sound but none
// of keys opens it, ErrCannotOpen. Elements that are not needed are skipped (Mahara's X1).
func Open(body []byte, keys ...*rsa.PrivateKey) (*Opened, error) {
	if len(body) > MaxSize {
		return nil, fmt.Errorf("open: %w", ErrTooLarge)
	}
	if !IsSealed(body) {
		return nil, fmt.Errorf("open: %w: no encryptedMessage", ErrMalformed)
	}
	root, err := read(body, "encryptedMessage")
	if err != nil {
		return nil, err
	}
	// Moodle's parser takes the first two, wherever they are.
	if occurrences(root, "CipherValue") > 2 {
		return nil, fmt.Errorf("open: %w: CipherValue", ErrDoubled)
	}
	data, err := readCipher(root, "EncryptedData", arcfour)
	if err != nil {
		return nil, err
	}
	sealedKey, err := readCipher(root, encryptedKey, rsaPKCS1)
	if err != nil {
		return nil, err
	}
	wwwroot, err := leaf(root, "wwwroot")
	if err != nil {
		return nil, err
	}
	for i, private := range keys {
		if private == nil {
			continue
		}
		// An error of its own for bad padding would allow Bleichenbacher's attack, which needs many
		// thousand answers to seals that the attacker made. This tool opens only the few documents
		// that answer its own calls.
		//lint:ignore SA1019 MNet seals with PKCS #1 v1.5; no peer understands anything else
		key, err := rsa.DecryptPKCS1v15(nil, private, sealedKey)
		if err == nil && len(key) == keySize {
			return &Opened{Document: crypt(key, data), Wwwroot: wwwroot, Key: i}, nil
		}
	}
	return nil, fmt.Errorf("open: %w", ErrCannotOpen)
}

// readCipher returns the CipherValue of EncryptedData or EncryptedKey.
func readCipher(root *etree.Element, name, algorithm string) ([]byte, error) {
	part, err := only(root, name)
	if err != nil {
		return nil, err
	}
	if err := expectAlgorithm(part, algorithm, "EncryptionMethod"); err != nil {
		return nil, err
	}
	return base64Leaf(part, "CipherData", "CipherValue")
}
