// Package envelope reads and writes the documents that two MNet sites exchange.
//
// It mirrors Moodle's mnet_sign_message and mnet_encrypt_message (mnet/lib.php) and their readers
// in mnet/xmlrpc/server.php and xmlparser.php. A payload is wrapped in a signedMessage, which looks
// like XML Signature but signs the payload's bytes and not SignedInfo. That is wrapped in an
// encryptedMessage, which looks like XML Encryption and is OpenSSL's EVP_SealInit with RC4. SHA-1,
// RC4 and PKCS #1 v1.5 are what every MNet peer speaks; there is nothing to negotiate. Certificates
// are read as leniently as OpenSSL reads them.
//
// It refuses what Moodle's event parser accepts: an element given twice, document types and
// entities, a digest that is not the payload's, a key that is not 16 bytes, an algorithm other than
// those above, anything over MaxSize.
//
// The wwwroot and the time of a signed document are outside the signature: Verify proves the
// payload only.
//
// The package keeps no state; everything may be used concurrently.
package envelope
