<?php
/**
 * A small MNet site that behaves as Moodle 3.11 does on the wire, in its tables and in its configuration cache.
 *
 * It is a test fixture of renew_mnetkeys, written from measured facts and not from Moodle's code: it uses PHP's OpenSSL and
 * xmlrpc extensions, as Moodle does, so that what the Go program seals is opened by the real thing. A site is a copy of this
 * directory with a config.php of Moodle's form beside it, which ends by requiring this file; see internal/testbed/phpsite.go.
 * The pages under test/ and admin/cli/install.php exist for the tests alone.
 */

declare(strict_types=1);

namespace phpsite;

defined('MOODLE_INTERNAL') || define('MOODLE_INTERNAL', true);

foreach (['database', 'cache', 'settings'] as $part) {
    require_once __DIR__ . "/$part.php";
}
foreach (['envelope', 'keys', 'peer', 'client', 'server'] as $part) {
    require_once __DIR__ . "/../mnet/$part.php";
}

if (!defined('CLI_SCRIPT') && is_file($GLOBALS['CFG']->dataroot . '/climaintenance.html')) {
    html_page(503, 'Site is under maintenance', '<p>maintenance</p>', ['Retry-After: 300']);
}

/** Ends the request with a page. */
function html_page(int $status, string $title, string $body, array $headers = []): never {
    http_response_code($status);
    array_map(header(...), $headers);
    header('Content-Type: text/html; charset=utf-8');
    echo '<!DOCTYPE html><html><head><title>', htmlspecialchars($title), "</title></head><body>$body</body></html>\n";
    exit;
}

/** Every page of MNet is a 404 while it is off. */
function require_mnet(): void {
    if (!in_array(settings('core')['mnet_dispatcher_mode'] ?? 'off', ['strict', 'dangerous'], true)) {
        html_page(404, 'Error', '<p data-code="mnetdisabled">mnet/mnetdisabled</p>');
    }
}

/** Ends a page of test/ with a JSON document. */
function json_page(mixed $answer): never {
    header('Content-Type: application/json');
    exit(json_encode($answer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
}
