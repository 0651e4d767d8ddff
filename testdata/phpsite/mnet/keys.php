<?php

declare(strict_types=1);

namespace phpsite;

/** A certificate with its private key, both PEM. */
final class keypair {
    public function __construct(public readonly string $certificate, public readonly string $private) {
    }

    /** A pair and self-signed certificate as Moodle makes them: serial 0, the wwwroot as subjectAltName inside the DN. */
    public static function make(int $days): self {
        $wwwroot = $GLOBALS['CFG']->wwwroot;
        $site = database::get()->row('SELECT fullname FROM {course} WHERE id = 1');
        $key = self::handed() ?? openssl_pkey_new(['private_key_bits' => 2048]);
        $request = openssl_csr_new([
            'countryName' => 'NZ',
            'stateOrProvinceName' => 'Wellington',
            'localityName' => 'Wellington',
            'organizationName' => iconv_substr($site['fullname'], 0, 64, 'UTF-8'),
            'organizationalUnitName' => 'Moodle',
            'commonName' => substr($wwwroot, 0, 64),
            'subjectAltName' => $wwwroot,
            'emailAddress' => 'noreply@' . parse_url($wwwroot, PHP_URL_HOST),
        ], $key, ['digest_alg' => 'sha256']);
        $signed = openssl_csr_sign($request, null, $key, $days, ['digest_alg' => 'sha256', 'x509_extensions' => 'v3_ca']);
        openssl_x509_export($signed, $certificate);
        openssl_pkey_export($key, $private);
        return new self($certificate, $private);
    }

    /** A key that the test bed has made, since it is quicker; each is used once. */
    private static function handed(): ?\OpenSSLAsymmetricKey {
        foreach (glob(dirname($GLOBALS['CFG']->dataroot) . '/keys/*.pem') as $file) {
            $text = (string) @file_get_contents($file);
            if (@unlink($file)) {
                return openssl_pkey_get_private($text);
            }
        }
        return null;
    }

    /** As it stands in config_plugins mnet/openssl. */
    public static function parse(string $stored): self {
        return new self(...explode('@@@@@@@@', $stored));
    }

    public function stored(): string {
        return $this->certificate . '@@@@@@@@' . $this->private;
    }

    public function expires(): int {
        return openssl_x509_parse($this->certificate)['validTo_time_t'];
    }
}

/** The pair as the web side knows it, which a stale cache can make an old one. */
function cached_pair(): keypair {
    return keypair::parse(settings('mnet')['openssl']);
}

/** The pair for a sealed call, in or out: an expired one is replaced now. */
function own_pair(): keypair {
    if (own_host()->expires <= time()) {
        replace_pair(archive: true);
    }
    return cached_pair();
}

/** @return list<keypair> the retired pairs, newest first */
function archived_pairs(): array {
    return array_map(fn($old) => new keypair($old['certificate'], $old['keypair_PEM']), history());
}

function history(): array {
    $stored = settings('mnet')['openssl_history'] ?? '';
    return $stored === '' ? [] : unserialize($stored, ['allowed_classes' => false]);
}

/**
 * The site's own renewal. Without $archive it forgets the old pair, and no peer can ever heal itself; with $stale the cache
 * goes on serving what it had.
 */
function replace_pair(bool $archive, bool $stale = false): void {
    $store = $stale ? store_setting(...) : set_setting(...);
    if ($archive) {
        $old = cached_pair();
        $retired = ['certificate' => $old->certificate, 'keypair_PEM' => $old->private, 'expires' => (string) own_host()->expires];
        $generations = (int) (settings('mnet')['openssl_generations'] ?? 3);
        $store('mnet', 'openssl_history', serialize(array_slice([$retired, ...history()], 0, $generations)));
    }
    $new = keypair::make((int) (settings('core')['mnetkeylifetime'] ?? 28));
    $store('mnet', 'openssl', $new->stored());
    database::get()->rows(
        'UPDATE {mnet_host} SET wwwroot = ?, ip_address = ?, public_key = ?, public_key_expires = ? WHERE id = ?',
        $GLOBALS['CFG']->wwwroot,
        gethostbyname(parse_url($GLOBALS['CFG']->wwwroot, PHP_URL_HOST)),
        $new->certificate,
        $new->expires(),
        (int) settings('core')['mnet_localhost_id'],
    );
}
