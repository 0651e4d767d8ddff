<?php

declare(strict_types=1);

namespace phpsite;

/** A row of mnet_host. These rows are never cached. */
final class peer {
    public string $certificate;
    public int $expires; // unix seconds
    public readonly int $id;
    public readonly string $wwwroot;
    public readonly bool $deleted;
    public readonly string $url;
    public readonly string $application;

    private function __construct(array $row) {
        $this->id = (int) $row['id'];
        $this->wwwroot = $row['wwwroot'];
        $this->deleted = (bool) $row['deleted'];
        $this->certificate = $row['public_key'];
        $this->expires = (int) $row['public_key_expires'];
        $this->application = $row['application'] ?? 'moodle';
        $this->url = $row['wwwroot'] . ($row['xmlrpc_server_url'] ?? '/mnet/xmlrpc/server.php');
    }

    /** @return list<self> */
    public static function where(string $condition, mixed ...$parameters): array {
        $rows = database::get()->rows("SELECT h.*, a.name AS application, a.xmlrpc_server_url FROM {mnet_host} h
            LEFT JOIN {mnet_application} a ON a.id = h.applicationid WHERE $condition", ...$parameters);
        return array_map(fn($row) => new self($row), $rows);
    }

    /** The host of that wwwroot, as the database compares it; null if it is not known. */
    public static function find(string $wwwroot): ?self {
        return self::where('h.wwwroot = ? AND h.wwwroot <> ?', $wwwroot, '')[0] ?? null;
    }

    /** Takes a certificate for the host's own; false when Moodle would refuse it. */
    public function store(string $certificate): bool {
        $certificate = str_replace("\r", '', trim($certificate)) . "\n";
        $fields = $this->acceptable($certificate);
        if ($fields === null) {
            return false;
        }
        $this->certificate = $certificate;
        $this->expires = $fields['validTo_time_t'];
        $sql = 'UPDATE {mnet_host} SET public_key = ?, public_key_expires = ? WHERE id = ?';
        database::get()->rows($sql, $certificate, $fields['validTo_time_t'], $this->id);
        return true;
    }

    /** One certificate, in lines of 64, that carries this host's wwwroot. */
    private function acceptable(string $certificate): ?array {
        $lines = '~^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{64}\n)*[A-Za-z0-9+/=]{1,64}\n-----END CERTIFICATE-----\n$~D';
        $fields = preg_match($lines, $certificate) ? @openssl_x509_parse($certificate) : false;
        if ($fields === false) {
            return null;
        }
        $subject = $fields['subject'];
        $right = ($subject['CN'] ?? '') === substr($this->wwwroot, 0, 64)
            && ($subject['subjectAltName'] ?? $this->wwwroot) === $this->wwwroot;
        return $right ? $fields : null;
    }
}

/** The site's own row. */
function own_host(): peer {
    return peer::where('h.id = ?', (int) settings('core')['mnet_localhost_id'])[0];
}
