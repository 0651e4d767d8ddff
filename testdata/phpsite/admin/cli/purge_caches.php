<?php
/** Empties the configuration cache, as Moodle's script of this name does. */

namespace phpsite;

require __DIR__ . '/../../config.php';

config_cache::get()->purge();
