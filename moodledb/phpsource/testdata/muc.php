<?php defined('MOODLE_INTERNAL') || die();
 $configuration = array (
  'siteidentifier' => '5d41402abc4b2a76b9719d911017c592',
  'stores' => 
  array (
    'default_application' => 
    array (
      'name' => 'default_application',
      'plugin' => 'file',
      'configuration' => 
      array (
      ),
      'features' => 30,
      'modes' => 3,
      'default' => true,
      'class' => 'cachestore_file',
      'lock' => 'cachelock_file_default',
    ),
    'default_session' => 
    array (
      'name' => 'default_session',
      'plugin' => 'session',
      'configuration' => 
      array (
      ),
      'features' => 14,
      'modes' => 2,
      'default' => true,
    ),
    'default_request' => 
    array (
      'name' => 'default_request',
      'plugin' => 'static',
      'configuration' => 
      array (
      ),
      'features' => 31,
      'modes' => 4,
      'default' => true,
    ),
    'redis' => 
    array (
      'name' => 'redis',
      'plugin' => 'redis',
      'configuration' => 
      array (
        'server' => '127.0.0.1:6379',
        'prefix' => 'it\'s_',
        'password' => '',
        'serializer' => '1',
        'compressor' => 0,
        'ttl' => NULL,
        'ratio' => 0.10000000000000001,
        'nested' => (object) array(
          'a' => 1,
        ),
      ),
      'mappingsonly' => false,
    ),
  ),
  'modemappings' => 
  array (
    0 => 
    array (
      'store' => 'redis',
      'mode' => 1,
      'sort' => 0,
    ),
    1 => 
    array (
      'store' => 'default_session',
      'mode' => 2,
      'sort' => 0,
    ),
    2 => 
    array (
      'store' => 'default_request',
      'mode' => 4,
      'sort' => 0,
    ),
  ),
  'definitionmappings' => 
  array (
    1 => 
    array (
      'definition' => 'core/config',
      'store' => 'default_application',
      'sort' => 1,
    ),
  ),
);
