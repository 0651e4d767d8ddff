<?php
/** This site makes a sealed call to the host ?to=, as a login or any other service would, and tells what came of it. */

namespace phpsite;

require __DIR__ . '/../config.php';

$peer = peer::find($_GET['to']) ?? html_page(404, 'Error', 'no such host');
$held = $peer->certificate;
$report = ['ok' => false, 'fault' => 0, 'error' => '', 'services' => []];
try {
    $report['services'] = array_column(call($peer, 'system/listServices'), 'name');
    $report['ok'] = true;
} catch (fault $fault) {
    $report = ['fault' => $fault->getCode(), 'error' => $fault->getMessage()] + $report;
} catch (bad_message | \RuntimeException $e) {
    $report['error'] = $e->getMessage();
}
json_page($report + ['learned' => $peer->certificate !== $held]);
