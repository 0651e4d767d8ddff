// Package envelope speaks the documents in which two MNet sites talk to each other.
//
// It mirrors Moodle's mnet_sign_message and mnet_encrypt_message (mnet/lib.php) and their readers
// in mnet/xmlrpc/server.php and xmlparser.php: a payload is wrapped in a signedMessage, which looks
// like XML Signature but signs the payload's bytes and not SignedInfo, and that in an
// encryptedMessage, which looks like XML Encryption and is OpenSSL's EVP_SealInit with RC4. SHA-1,
// RC4 and PKCS #1 v1.5 are what every MNet peer speaks; there is nothing to negotiate. Certificates
// are read as leniently as OpenSSL reads them.
//
// It refuses what Moodle's event parser lets pass: an element given twice, document types and
// entities, a digest that is not the payload's, a key that is not 16 bytes, an algorithm other than
// those above, anything over MaxSize.
//
// The wwwroot and the time of a signed document stand outside the signature. Only the payload is
// proven by Verify.
//
// Nothing here keeps state; everything may be used concurrently.
package envelope
