<?php
// Run by renew_mnetkeys from stdin with one argument, the path of config.php, behind a line that sets $mnetkeys: tenant, the values of a tenant of a
// VMoodle array, or none; guard, whether to define MOODLE_INTERNAL.
// Writes what config.php made of $CFG to file descriptor 3, as PHP source.

/** Takes the place of the file system for include: lib/setup.php ends the script, bootlib.php only switches to the tenant. */
class mnetkeys_files {
    public $context;
    private $file;
    public static $setup = array();

    public function stream_open($path, $mode, $options, &$opened) {
        $text = null;
        if (substr($path, -14) === '/lib/setup.php' || in_array($path, self::$setup, true)) {
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
    public function stream_close() { fclose($this->file); }
    public function stream_flush() { return fflush($this->file); }
    public function stream_lock($operation) { return flock($this->file, $operation ? $operation : LOCK_SH); }
    public function stream_truncate($size) { return ftruncate($this->file, $size); }
    public function stream_set_option($option, $one, $two) { return false; }

    public function url_stat($path, $flags) { return self::real($flags & STREAM_URL_STAT_LINK ? 'lstat' : 'stat', array($path)); }
    public function unlink($path) { return self::real('unlink', array($path)); }
    public function rename($from, $to) { return self::real('rename', array($from, $to)); }
    public function mkdir($path, $mode, $options) { return self::real('mkdir', array($path, $mode, (bool)($options & STREAM_MKDIR_RECURSIVE))); }
    public function rmdir($path, $options) { return self::real('rmdir', array($path)); }
    public function dir_opendir($path, $options) { return (bool)($this->file = self::real('opendir', array($path))); }
    public function dir_readdir() { return readdir($this->file); }
    public function dir_rewinddir() { rewinddir($this->file); return true; }
    public function dir_closedir() { closedir($this->file); return true; }

    /** Calls a function with the real file system in place. */
    private static function real($function, $arguments) {
        stream_wrapper_restore('file');
        $result = @call_user_func_array($function, $arguments);
        self::install();
        return $result;
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

    /** Keeps what can be written as a literal. */
    private static function plain($value) {
        if (is_array($value)) {
            return array_map(array('mnetkeys_end', 'plain'), $value);
        }
        return is_float($value) ? (string)$value : (is_scalar($value) ? $value : null);
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
                $all[$name] = self::plain(is_array($value) ? array_intersect_key($value, array('mnet' => 1, 'local_vmoodle' => 1)) : array());
            } else if (preg_match('/^(db|prefix$|wwwroot$|dataroot$|dirroot$|cachedir$|altcacheconfigpath$|noreplyaddress$|mnetkeylifetime$|mnet_dispatcher_mode$|' .
                    'pathtophp$|alternative_cache_factory_class$|tool_forcedcache_config_|vmaster|vchilds)/', $name)) {
                $all[$name] = self::plain($value);
            }
        }
        $object = is_object($CFG) ? '(object)' : '';
        fwrite(self::$answer, "<?php\n\$CFG = $object" . var_export($all, true) . ";\n\$ended = " . var_export(self::$end, true) . ";\n");
    }
}

ob_start();
mnetkeys_end::open($mnetkeys['tenant']);
set_error_handler(array('mnetkeys_end', 'warned'), E_WARNING);
define('CLI_SCRIPT', true);
define('CLI_VMOODLE_OVERRIDE', isset($mnetkeys['tenant']['wwwroot']) ? $mnetkeys['tenant']['wwwroot'] : '');
if ($mnetkeys['guard']) {
    define('MOODLE_INTERNAL', true);
}
mnetkeys_files::$setup = array_filter(array(realpath(dirname($argv[1]) . '/lib/setup.php'), realpath(dirname($argv[1]) . '/public/lib/setup.php')));
$argv = $_SERVER['argv'] = array($argv[1]);
$argc = $_SERVER['argc'] = 1;
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = $_SERVER['SCRIPT_FILENAME'] = $_SERVER['PATH_TRANSLATED'] = $argv[0];
unset($mnetkeys);
mnetkeys_files::install();
try {
    if ((require($argv[0])) === null) {
        mnetkeys_end::$end['how'] = 'return';
    } else {
        mnetkeys_end::$end['how'] = '';
    }
} catch (\Throwable $mnetkeys_error) {
    mnetkeys_end::failed(get_class($mnetkeys_error), $mnetkeys_error->getMessage(), $mnetkeys_error->getFile(), $mnetkeys_error->getLine());
}
