<?php
// Tells which stores serve core/config, and drops nothing. It stands between site.php and load.php.

function mnetkeys_work() {
    return mnetkeys_stores();
}
