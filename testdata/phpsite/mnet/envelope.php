<?php

declare(strict_types=1);

namespace phpsite;

/** A message that is not what MNet wants; $code is the fault that a server answers it with. */
final class bad_message extends \Exception {
}

const OLD_SERVERS_LOOK_AT = 100; // bytes from the start within which the root element must begin, but not at 0

function is_sealed(string $body): bool {
    return strpos(substr($body, 0, OLD_SERVERS_LOOK_AT), '<encryptedMessage>') > 0;
}

/** The text of the element, which must be there exactly $count times. */
function element(string $document, string $name, int $count = 1): array {
    if (preg_match_all("~<$name(?:\s[^>]*)?>([^<]*)</$name>~", $document, $found) !== $count) {
        throw new bad_message("wanted $count of <$name>", 7021);
    }
    return $found[1];
}

function base64(string $text): string {
    return base64_decode(preg_replace('/\s+/', '', $text), true) ?: throw new bad_message('not base64', 7021);
}

/** signedMessage: the signature is over the payload itself, not over SignedInfo; the digest is hexadecimal. */
function sign(string $payload, keypair $pair): string {
    openssl_sign($payload, $signature, $pair->private, OPENSSL_ALGO_SHA1);
    $wwwroot = htmlspecialchars($GLOBALS['CFG']->wwwroot, ENT_XML1);
    $name = own_name();
    $dsig = 'http://www.w3.org/2000/09/xmldsig#';
    return implode("\n", [
        '<?xml version="1.0" encoding="iso-8859-1"?>',
        '<signedMessage>',
        "<Signature Id=\"MoodleSignature\" xmlns=\"$dsig\"><SignedInfo>",
        '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>',
        "<SignatureMethod Algorithm=\"{$dsig}rsa-sha1\"/>",
        "<Reference URI=\"#XMLRPC-MSG\"><DigestMethod Algorithm=\"{$dsig}sha1\"/>",
        '<DigestValue>' . sha1($payload) . '</DigestValue></Reference></SignedInfo>',
        '<SignatureValue>' . base64_encode($signature) . '</SignatureValue>',
        "<KeyInfo><RetrievalMethod URI=\"$wwwroot/mnet/publickey.php\"/></KeyInfo></Signature>",
        '<object ID="XMLRPC-MSG">' . base64_encode($payload) . '</object>',
        "<wwwroot>$name</wwwroot>",
        '<timestamp>' . time() . '</timestamp>',
        '</signedMessage>',
    ]);
}

/**
 * encryptedMessage. What OpenSSL cannot seal, for want of RC4, comes out empty, as it does in Moodle; with no readable
 * certificate there is no document at all (mnet_encrypt_message in mnet/lib.php).
 */
function seal(string $document, string $certificate): string {
    $public = openssl_pkey_get_public($certificate);
    if ($public === false) {
        return '';
    }
    $ok = @openssl_seal($document, $sealed, $keys, [$public], 'RC4');
    [$data, $key] = $ok ? [base64_encode($sealed), base64_encode($keys[0])] : ['', ''];
    $name = own_name();
    $enc = 'http://www.w3.org/2001/04/xmlenc#';
    $dsig = 'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"';
    return implode("\n", [
        '<?xml version="1.0" encoding="iso-8859-1"?>',
        '<encryptedMessage>',
        "<EncryptedData Id=\"ED\" xmlns=\"$enc\"><EncryptionMethod Algorithm=\"{$enc}arcfour\"/>",
        "<ds:KeyInfo $dsig><ds:RetrievalMethod URI=\"#EK\" Type=\"{$enc}EncryptedKey\"/><ds:KeyName>XMLENC</ds:KeyName></ds:KeyInfo>",
        "<CipherData><CipherValue>$data</CipherValue></CipherData></EncryptedData>",
        "<EncryptedKey Id=\"EK\" xmlns=\"$enc\"><EncryptionMethod Algorithm=\"{$enc}rsa-1_5\"/>",
        "<ds:KeyInfo $dsig><ds:KeyName>SSLKEY</ds:KeyName></ds:KeyInfo>",
        "<CipherData><CipherValue>$key</CipherValue></CipherData>",
        '<ReferenceList><DataReference URI="#ED"/></ReferenceList><CarriedKeyName>XMLENC</CarriedKeyName></EncryptedKey>',
        "<wwwroot>$name</wwwroot>",
        '</encryptedMessage>',
    ]);
}

/** The wwwroot by which the site names itself: that of its own row, which may be an old one (mnet/lib.php). */
function own_name(): string {
    return htmlspecialchars(own_host()->wwwroot, ENT_XML1);
}

/** A sealed document that has been read but not opened. */
final class sealed {
    public readonly string $wwwroot;
    private readonly string $data;
    private readonly string $key;

    public function __construct(string $body) {
        [$this->data, $this->key] = array_map(base64(...), element($body, 'CipherValue', 2)); // data stands before key
        $this->wwwroot = html_entity_decode(element($body, 'wwwroot')[0], ENT_XML1);
    }

    /** The document, or null if it was not sealed to this pair (or OpenSSL has no RC4). */
    public function open(keypair $pair): ?string {
        return @openssl_open($this->data, $document, $this->key, $pair->private, 'RC4') ? $document : null;
    }
}

/** A signed document whose signature is still to be verified. */
final class signed {
    public readonly string $payload;
    public readonly string $wwwroot;
    public readonly int $timestamp;
    private readonly string $signature;

    public function __construct(string $document) {
        if (!(strpos(substr($document, 0, OLD_SERVERS_LOOK_AT), '<signedMessage>') > 0)) {
            throw new bad_message('not signed', 7021);
        }
        $this->payload = base64(element($document, 'object')[0]);
        $this->signature = base64(element($document, 'SignatureValue')[0]);
        $this->wwwroot = html_entity_decode(element($document, 'wwwroot')[0], ENT_XML1);
        $this->timestamp = (int) element($document, 'timestamp')[0];
        if (element($document, 'DigestValue')[0] !== sha1($this->payload)) {
            throw new bad_message('digest differs', 710);
        }
    }

    public function verifies(string $certificate): bool {
        $key = openssl_pkey_get_public($certificate);
        return $key !== false && openssl_verify($this->payload, $this->signature, $key, OPENSSL_ALGO_SHA1) === 1;
    }
}
