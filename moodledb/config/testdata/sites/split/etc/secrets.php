<?php return ['name' => 'split', 'user' => 'split', 'pass' => "SECRET-9\$"];
