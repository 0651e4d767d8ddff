package envelope

import (
	"errors"
	"fmt"
)

// MaxSize is the largest document, text or payload this package reads or writes, in bytes.
const MaxSize = 1 << 20

// Errors of a document. Match them with errors.Is; the text around them says where.
var (
	ErrMalformed  = errors.New("malformed MNet document")
	ErrDoubled    = errors.New("element given twice")
	ErrTooLarge   = errors.New("larger than 1 MiB")
	ErrDTD        = errors.New("document type declaration refused")
	ErrCannotOpen = errors.New("no key opens the seal")
	ErrDigest     = errors.New("digest does not match the payload")
	ErrSignature  = errors.New("signature does not verify")
	ErrWwwroot    = errors.New("wwwroot does not match")
)

// Errors of a stored or received key. Match them with errors.Is.
var (
	ErrCertificate = errors.New("unreadable certificate")
	ErrPrivateKey  = errors.New("unreadable private key")
	ErrMismatch    = errors.New("certificate and private key do not belong together")
)

// WwwrootError says which name in a certificate is not the name of the site; it is an ErrWwwroot.
type WwwrootError struct {
	Attribute string // "CN" or "subjectAltName"
	Got, Want string
}

func (e *WwwrootError) Error() string {
	return fmt.Sprintf("certificate %s is %.80q, not %q", e.Attribute, e.Got, e.Want)
}

func (e *WwwrootError) Unwrap() error { return ErrWwwroot }
