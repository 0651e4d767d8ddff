<?php
// Run by renew_mnetkeys from stdin with one argument, the path of config.php, behind a line that sets $mnetkeys_tenant: the values of a tenant of a
// VMoodle array, or nothing. Writes what config.php made of $CFG to file descriptor 3, as PHP source.

/** Takes the place of the file system for include: lib/setup.php ends the script, bootlib.php only switches to the tenant. */
class mnetkeys_files {
    public $context;
    private $file;

    public function stream_open($path, $mode, $options, &$opened) {
        $text = null;
        if (substr($path, -14) === '/lib/setup.php') {
            $text = '<?php exit;';
        } else if (substr($path, -26) === '/local/vmoodle/bootlib.php') {
            $text = '<?php ';
            preg_match_all('/^\s*function\s+(\w+)\s*\(/m', (string)self::real('file_get_contents', array($path)), $names);
            foreach ($names[1] as $name) {
                $text .= "function $name() { mnetkeys_switch(); } ";
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
    public function stream_set_option($option, $one, $two) { return false; }

    public function url_stat($path, $flags) { return self::real('stat', array($path)); }
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

/** Does what VMoodle's boot does after it has read its register. */
function mnetkeys_switch() {
    global $CFG, $mnetkeys_tenant;
    foreach ($mnetkeys_tenant as $name => $value) {
        $CFG->$name = $value;
    }
    $defaults = $mnetkeys_tenant ? 'vmoodlehardchildsdefaults' : 'vmoodlehardmasterdefaults';
    $exclude = isset($CFG->vmoodlehardchildsdefaultsexclude) ? (string)$CFG->vmoodlehardchildsdefaultsexclude : '';
    if (empty($CFG->$defaults) || $mnetkeys_tenant && $exclude !== '' && preg_match("/$exclude/", $CFG->wwwroot)) {
        return;
    }
    $file = $CFG->dirroot . '/local/defaults_' . $CFG->$defaults . '.php';
    if (file_exists($file)) {
        include_once($file);
    }
}

/** Keeps what can be written as a literal. */
function mnetkeys_plain($value) {
    if (is_array($value)) {
        return array_map('mnetkeys_plain', $value);
    }
    return is_scalar($value) ? $value : null;
}

$mnetkeys_answer = fopen('php://fd/3', 'w');
register_shutdown_function(function () use ($mnetkeys_answer) {
    global $CFG;
    $all = array();
    foreach ((array)$CFG as $name => $value) {
        if (preg_match('/^(db|prefix$|wwwroot$|dataroot$|dirroot$|cachedir$|altcacheconfigpath$|noreplyaddress$|mnetkeylifetime$|alternative_cache_factory_class$|tool_forcedcache_config_|vmaster|vchilds)/', $name)) {
            $all[$name] = mnetkeys_plain($value);
        }
    }
    fwrite($mnetkeys_answer, "<?php\n\$CFG = (object)" . var_export($all, true) . ";\n");
    $error = error_get_last();
    if ($error && ($error['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR))) {
        fwrite($mnetkeys_answer, '$failed = ' . var_export(array('file' => $error['file'], 'line' => $error['line']), true) . ";\n");
    }
});

ob_start();
define('CLI_SCRIPT', true);
define('CLI_VMOODLE_OVERRIDE', isset($mnetkeys_tenant['wwwroot']) ? $mnetkeys_tenant['wwwroot'] : '');
unset($CLI_VMOODLE_PRECHECK);
mnetkeys_files::install();
require($argv[1]);
