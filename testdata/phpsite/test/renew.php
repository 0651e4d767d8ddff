<?php
/** The site renews its key and tells nobody. ?archive keeps the old pair in the history, ?stale leaves the cache as it was. */

namespace phpsite;

require __DIR__ . '/../config.php';

replace_pair(isset($_GET['archive']), isset($_GET['stale']));
json_page(true);
