<?php

require __DIR__ . '/config.php';

$site = phpsite\database::get()->row('SELECT fullname FROM {course} WHERE id = 1');
phpsite\html_page(200, $site['fullname'], '<h1>' . htmlspecialchars($site['fullname']) . '</h1>');
