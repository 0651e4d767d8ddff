<?php
// Comes before every script: gives it what a script has that is run from a file, and the request that --host stands for.

define('STDIN', fopen('php://stdin', 'r'));
define('STDOUT', fopen('php://stdout', 'w'));
define('STDERR', fopen('php://stderr', 'w'));
(function ($request) {
    foreach ($request as $name => $value) {
        if ($value === '') {
            unset($_SERVER[$name]);
        } else {
            $_SERVER[$name] = $value;
        }
    }
})(