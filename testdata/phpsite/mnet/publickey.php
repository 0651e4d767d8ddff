<?php

require __DIR__ . '/../config.php';

phpsite\require_mnet();
header('Content-Type: text/plain');
echo phpsite\cached_pair()->certificate;
