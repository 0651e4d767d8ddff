<?php

require __DIR__ . '/../../config.php';

phpsite\require_mnet();
header('Content-Type: text/xml; charset=utf-8');
echo phpsite\serve(file_get_contents('php://input'));
