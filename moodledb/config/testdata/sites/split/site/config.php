<?php
// The package's file only says where the configuration is.
require_once(dirname(__DIR__) . '/etc/config.php');
