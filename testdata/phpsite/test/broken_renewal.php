<?php
/**
 * What VMoodle's PHP tool does to a site: the new pair is stored past the cache, the host row stays, every peer is sent the
 * OLD certificate, and no history is written.
 */

namespace phpsite;

require __DIR__ . '/../config.php';

$old = own_host()->certificate;
store_setting('mnet', 'openssl', keypair::make(28)->stored());
foreach (peer::where("h.deleted = 0 AND h.wwwroot NOT IN ('', ?)", $CFG->wwwroot) as $peer) {
    try {
        $answer = keyswap($peer, $old, force: true);
        $answer === null || $peer->store($answer);
    } catch (fault | \RuntimeException) {
        // Reported as a success as well.
    }
}
json_page(true);
