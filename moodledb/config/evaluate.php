<?php
// Run by renew_mnetkeys from stdin with one argument, the path of config.php, behind a line that sets $mnetkeys: tenant, the values of a tenant of a
// VMoodle array, or none; guard, whether to define MOODLE_INTERNAL.
// Writes what config.php made of $CFG to file descriptor 3, as PHP source.

/** Takes the place of the file system for include: lib/setup.php ends the script, bootlib.php only switches to the tenant. */
class mnetkeys_files {
    public $context;
    private $file;
    public static $roots = array();
    private static $cast = array();

    /** Tells Moodle's lib/setup.php from one of something else: by its directory, or by what stands beside it. One that is not there is nothing else. */
    private static function is_setup($path) {
        global $CFG;
        $roots = self::$roots;
        if (isset($CFG->dirroot) && is_string($CFG->dirroot)) {
            $roots[] = $CFG->dirroot;
        }
        foreach ($roots as $root) {
            $root = rtrim($root, '/');
            foreach (array("$root/lib/setup.php", "$root/public/lib/setup.php") as $setup) {
                if ($path === $setup || $path === self::real('realpath', array($setup))) {
                    return true;
                }
            }
        }
        if (basename($path) !== 'setup.php') {
            return false;
        }
        return self::real('file_exists', array($path)) ? self::real('file_exists', array(dirname($path) . '/moodlelib.php')) : substr($path, -14) === '/lib/setup.php';
    }

    public function stream_open($path, $mode, $options, &$opened) {
        $text = null;
        if (self::is_setup($path)) {
            $text = '<?php mnetkeys_end::$end["setup"] = ' . var_export($path, true) . '; exit;';
        } else if (substr($path, -26) === '/local/vmoodle/bootlib.php') {
            $text = '<?php ';
            preg_match_all('/^\s*function\s+(\w+)\s*\(/m', (string)self::real('file_get_contents', array($path)), $names);
            foreach ($names[1] as $name) {
                $text .= "function $name() { mnetkeys_end::boot(); } ";
            }
        }
        if ($text === null) {
            $this->file = self::real('fopen', array($path, $mode));
        } else {
            $this->file = fopen('php://memory', 'w+');
            fwrite($this->file, $text);
            rewind($this->file);
        }
        return $this->file !== false;
    }

    public function stream_read($count) { return fread($this->file, $count); }
    public function stream_write($data) { return fwrite($this->file, $data); }
    public function stream_eof() { return feof($this->file); }
    public function stream_tell() { return ftell($this->file); }
    public function stream_seek($offset, $whence = SEEK_SET) { return fseek($this->file, $offset, $whence) === 0; }
    public function stream_stat() { return fstat($this->file); }

    public function stream_close() {
        if (!in_array($this->file, self::$cast, true)) {
            fclose($this->file);
        }
    }

    public function stream_flush() { return fflush($this->file); }
    public function stream_lock($operation) { return flock($this->file, $operation ? $operation : LOCK_SH); }
    public function stream_truncate($size) { return ftruncate($this->file, $size); }
    public function stream_set_option($option, $one, $two) { return false; }

    /** Keeps the file open: PHP closes what it has got of it by itself. */
    public function stream_cast($as) {
        return self::$cast[] = $this->file;
    }

    /** Asks first whether there is something: SPL makes an exception of the warning that there is not. */
    public function url_stat($path, $flags) {
        $link = $flags & STREAM_URL_STAT_LINK;
        $there = self::real('file_exists', array($path)) || $link && self::real('is_link', array($path));
        return $there ? self::real($link ? 'lstat' : 'stat', array($path)) : false;
    }

    public function stream_metadata($path, $option, $value) {
        switch ($option) {
            case STREAM_META_TOUCH:
                return self::changed('touch', array_merge(array($path), array_values((array)$value)));
            case STREAM_META_ACCESS:
                return self::changed('chmod', array($path, $value));
            case STREAM_META_OWNER:
            case STREAM_META_OWNER_NAME:
                return self::changed('chown', array($path, $value));
            case STREAM_META_GROUP:
            case STREAM_META_GROUP_NAME:
                return self::changed('chgrp', array($path, $value));
        }
        return false;
    }

    public function unlink($path) { return self::changed('unlink', array($path)); }
    public function rename($from, $to) { return self::changed('rename', array($from, $to)); }
    public function mkdir($path, $mode, $options) { return self::changed('mkdir', array($path, $mode, (bool)($options & STREAM_MKDIR_RECURSIVE))); }
    public function rmdir($path, $options) { return self::changed('rmdir', array($path)); }
    public function dir_opendir($path, $options) { return (bool)($this->file = self::real('opendir', array($path))); }
    public function dir_readdir() { return readdir($this->file); }
    public function dir_rewinddir() { rewinddir($this->file); return true; }
    public function dir_closedir() { closedir($this->file); return true; }

    /** Calls a function with the real file system in place, and in silence: PHP gives a warning of its own if that fails. */
    private static function real($function, $arguments) {
        stream_wrapper_restore('file');
        set_error_handler(array('mnetkeys_end', 'warned'), E_WARNING);
        try {
            return @call_user_func_array($function, $arguments);
        } catch (\Exception $thrown) { // where SPL makes one of a warning
            mnetkeys_end::warned(0, $thrown->getMessage(), $thrown->getFile(), $thrown->getLine());
            throw $thrown;
        } finally {
            restore_error_handler();
            self::install();
        }
    }

    /** Is real() for what PHP gives no warning of its own of. */
    private static function changed($function, $arguments) {
        stream_wrapper_restore('file');
        try {
            return call_user_func_array($function, $arguments);
        } finally {
            self::install();
        }
    }

    public static function install() {
        stream_wrapper_unregister('file');
        stream_wrapper_register('file', 'mnetkeys_files');
    }
}

/** Knows how the script ends, and answers then. */
class mnetkeys_end {
    public static $end = array('setup' => '', 'how' => 'exit', 'message' => '', 'file' => '', 'line' => 0);
    public static $tenant;
    const DEPTH = 80; // of arrays; what reads the answer knows some more
    private static $switched = false;
    private static $answer;

    public static function open($tenant) {
        self::$tenant = $tenant;
        self::$answer = fopen('php://fd/3', 'w');
        register_shutdown_function(array('mnetkeys_end', 'answer'));
    }

    /** Ends where PHP may not read a file because we are root: whoever leaves that out reads another configuration. */
    public static function warned($level, $message, $file, $line) {
        if (strpos($message, 'open_basedir restriction') !== false) {
            foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS) as $frame) {
                if (isset($frame['file']) && $frame['file'][0] === '/') {
                    list($file, $line) = array($frame['file'], $frame['line']);
                    break;
                }
            }
            $path = preg_replace('/.*File\(([^)]*)\).*/s', '$1', $message);
            self::failed('', "root does not let it use $path, outside of the directories of the code and of dataroot", $file, $line);
            exit;
        }
        return false;
    }

    /** Does what VMoodle's boot does after it has read its register. */
    public static function boot() {
        global $CFG;
        self::feed();
        $defaults = self::$tenant ? 'vmoodlehardchildsdefaults' : 'vmoodlehardmasterdefaults';
        $exclude = isset($CFG->vmoodlehardchildsdefaultsexclude) ? (string)$CFG->vmoodlehardchildsdefaultsexclude : '';
        if (empty($CFG->$defaults) || self::$tenant && $exclude !== '' && preg_match("/$exclude/", $CFG->wwwroot)) {
            return;
        }
        $file = $CFG->dirroot . '/local/defaults_' . $CFG->$defaults . '.php';
        if (file_exists($file)) {
            include_once($file);
        }
    }

    private static function feed() {
        global $CFG;
        self::$switched = true;
        foreach (self::$tenant as $name => $value) {
            $CFG->$name = $value;
        }
    }

    /** Notes an error that nothing caught. Of a syntax error, and wherever PHP quotes a value, what it quotes can be a password. */
    public static function failed($class, $message, $file, $line) {
        $message = preg_replace('/^(PHP )?(Fatal error: )?(Uncaught )?/', '', strtok((string)$message, "\n"));
        if ($class === 'ParseError' || preg_match('/^(syntax error|Undefined constant|Unhandled match)/', $message)) {
            $message = preg_replace('/"[^"]*"?|\'[^\']*\'?/', '…', $message);
            $message = preg_replace('/(constant|case) .*/', '$1 …', $message);
        }
        foreach (self::secrets($GLOBALS + array('env' => getenv()), 0) as $secret) {
            $message = str_replace($secret, '…', $message);
        }
        self::$end = array('setup' => '', 'how' => 'error', 'message' => $class === '' ? $message : "$class: $message", 'file' => $file, 'line' => $line);
    }

    /** Finds the texts that look like passwords by their names. */
    private static function secrets($values, $depth, $all = false) {
        $found = array();
        foreach ($depth > 4 ? array() : (array)$values as $name => $value) {
            $secret = $all || preg_match('/pass|pwd|secret|token|key|salt/i', $name);
            if (is_array($value) || is_object($value)) {
                $found = $name === 'GLOBALS' || $name === 'mnetkeys_error' ? $found : array_merge($found, self::secrets($value, $depth + 1, $secret));
            } else if ($secret && is_string($value) && strlen($value) > 2) {
                $found[] = $value;
            }
        }
        return $found;
    }

    /** Tells whether a file that did not come to lib/setup.php ended by return: one that is read to its end gives 1, too. */
    public static function returned($value, $file) {
        return $value !== 1 || preg_match('/\breturn\b/i', (string)file_get_contents($file));
    }

    /** Writes a value as a literal. Of what is neither text nor array no more is told than that: Moodle may take it for anything. */
    private static function literal($value, $depth = 0) {
        if ($depth > self::DEPTH) {
            throw new OverflowException('a value of $CFG is nested too deeply');
        }
        if (is_array($value)) {
            $text = '';
            foreach ($value as $key => $element) {
                $text .= var_export((string)$key, true) . ' => ' . self::literal($element, $depth + 1) . ', ';
            }
            return "array($text)";
        }
        if (is_object($value) || is_resource($value)) {
            return '(object)array()';
        }
        if (is_int($value)) {
            return "(int)'$value'";
        }
        return var_export(is_float($value) ? (string)$value : $value, true);
    }

    public static function answer() {
        global $CFG;
        $error = error_get_last();
        if (self::$end['setup'] === '' && self::$end['how'] !== 'error' && $error && ($error['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
            self::failed('', $error['message'], $error['file'], $error['line']);
        }
        if (self::$end['setup'] !== '') {
            self::$end['how'] = '';
        }
        if (!self::$switched && self::$tenant && is_object($CFG)) {
            self::feed();
        }
        $all = array();
        foreach (is_object($CFG) ? get_object_vars($CFG) : array() as $name => $value) {
            if ($name === 'forced_plugin_settings') {
                $all[$name] = is_array($value) ? array_intersect_key($value, array('mnet' => 1, 'local_vmoodle' => 1)) : array();
            } else if (preg_match('/^(db(type|host|name|user|pass|options)$|prefix$|wwwroot$|dataroot$|dirroot$|cachedir$|altcacheconfigpath$|noreplyaddress$|mnetkeylifetime$|mnet_dispatcher_mode$|' .
                    'pathtophp$|alternative_cache_factory_class$|tool_forcedcache_config_|vmaster|vchilds)/', $name)) {
                $all[$name] = $value;
            }
        }
        try {
            if (is_object($CFG) && get_class($CFG) !== 'stdClass') {
                throw new DomainException('$CFG is an object of class ' . get_class($CFG) . ', and must be a stdClass');
            }
            $all = self::literal($all);
        } catch (\Exception $thrown) {
            self::failed('', $thrown->getMessage(), '', 0);
            $all = 'array()';
        }
        $object = is_object($CFG) ? '(object)' : '';
        fwrite(self::$answer, "<?php\n\$CFG = $object$all;\n\$ended = " . var_export(self::$end, true) . ";\n");
    }
}

mnetkeys_end::open($mnetkeys['tenant']);
foreach (array('stream_wrapper_register', 'stream_wrapper_unregister', 'stream_wrapper_restore', 'set_error_handler', 'restore_error_handler',
        'call_user_func_array', 'debug_backtrace', 'error_get_last', 'get_object_vars', 'ob_start', 'realpath') as $needed) {
    if (!function_exists($needed)) {
        mnetkeys_end::failed('', "php.ini disables $needed(), which is needed for that (disable_functions)", '', 0);
        exit;
    }
}
ob_start();
set_error_handler(array('mnetkeys_end', 'warned'), E_WARNING);
define('CLI_SCRIPT', true);
define('CLI_VMOODLE_OVERRIDE', isset($mnetkeys['tenant']['wwwroot']) ? $mnetkeys['tenant']['wwwroot'] : '');
if ($mnetkeys['guard']) {
    define('MOODLE_INTERNAL', true);
}
mnetkeys_files::$roots = array_unique(array(dirname($argv[1]), dirname((string)realpath($argv[1]))));
$argv = $_SERVER['argv'] = array($argv[1]);
$argc = $_SERVER['argc'] = 1;
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = $_SERVER['SCRIPT_FILENAME'] = $_SERVER['PATH_TRANSLATED'] = $argv[0];
unset($mnetkeys, $needed);
mnetkeys_files::install();
try {
    $mnetkeys_error = require($argv[0]);
    mnetkeys_end::$end['how'] = mnetkeys_end::returned($mnetkeys_error, $argv[0]) ? 'return' : '';
} catch (\Throwable $mnetkeys_error) {
    mnetkeys_end::failed(get_class($mnetkeys_error), $mnetkeys_error->getMessage(), $mnetkeys_error->getFile(), $mnetkeys_error->getLine());
}
