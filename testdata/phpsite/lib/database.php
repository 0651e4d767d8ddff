<?php

declare(strict_types=1);

namespace phpsite;

/** A connection to one kind of server; statements have ? for their parameters. */
interface connection {
    /** @return list<array<string, string|int|null>> the rows of a query, none for another statement */
    public function run(string $sql, array $parameters): array;

    /** The id of the inserted row. */
    public function insert(string $sql, array $parameters): int;
}

final class mysqli_connection implements connection {
    private readonly \mysqli $server;

    public function __construct(object $config) {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $this->server = new \mysqli(
            $config->dbhost,
            $config->dbuser,
            $config->dbpass,
            $config->dbname,
            (int) ($config->dboptions['dbport'] ?: 3306),
            $config->dboptions['dbsocket'] ?: null,
        );
        $this->server->set_charset('utf8mb4');
    }

    public function run(string $sql, array $parameters): array {
        $result = $this->server->execute_query($sql, $parameters);
        return $result === true ? [] : $result->fetch_all(MYSQLI_ASSOC);
    }

    public function insert(string $sql, array $parameters): int {
        $this->run($sql, $parameters);
        return (int) $this->server->insert_id;
    }
}

final class pgsql_connection implements connection {
    private readonly \PgSql\Connection $server;

    public function __construct(object $config) {
        $options = $config->dboptions;
        $settings = ['user' => $config->dbuser, 'password' => $config->dbpass, 'dbname' => $config->dbname, 'port' => $options['dbport'] ?: 5432];
        $settings['host'] = $config->dbhost;
        if (!empty($options['dbsocket']) && in_array($config->dbhost, ['localhost', '127.0.0.1'], true)) {
            $settings['host'] = $options['dbsocket']; // its directory
        }
        if (empty($options['dbhandlesoptions'])) {
            $settings['options'] = '--client_encoding=utf8 --standard_conforming_strings=on';
            if (!empty($options['dbschema'])) {
                $settings['options'] .= ' -c search_path=' . addcslashes($options['dbschema'], "'\\");
            }
        }
        $words = array_map(fn($name, $value) => "$name='" . addcslashes((string) $value, "'\\") . "'", array_keys($settings), $settings);
        $this->server = pg_connect(implode(' ', $words), PGSQL_CONNECT_FORCE_NEW);
    }

    public function run(string $sql, array $parameters): array {
        $n = 0;
        $sql = preg_replace_callback('/\?/', function () use (&$n) {
            return '$' . ++$n;
        }, $sql);
        $result = pg_query_params($this->server, $sql, $parameters) ?: throw new \RuntimeException(pg_last_error($this->server));
        return pg_fetch_all($result);
    }

    public function insert(string $sql, array $parameters): int {
        return (int) $this->run("$sql RETURNING id", $parameters)[0]['id'];
    }
}

/** The site's database; table names stand in braces, {mnet_host}, and get the prefix. */
final class database {
    private readonly connection $connection;

    public function __construct(private readonly object $config) {
        $this->connection = $config->dbtype === 'pgsql' ? new pgsql_connection($config) : new mysqli_connection($config);
    }

    public static function get(): self {
        static $database = null;
        return $database ??= new self($GLOBALS['CFG']);
    }

    /** @return list<array<string, string|int|null>> */
    public function rows(string $sql, mixed ...$parameters): array {
        return $this->connection->run($this->named($sql), $parameters);
    }

    public function row(string $sql, mixed ...$parameters): ?array {
        return $this->rows($sql, ...$parameters)[0] ?? null;
    }

    /** The id of the inserted row. */
    public function insert(string $table, array $values): int {
        $names = implode(', ', array_keys($values));
        $marks = implode(', ', array_fill(0, count($values), '?'));
        return $this->connection->insert($this->named("INSERT INTO {{$table}} ($names) VALUES ($marks)"), array_values($values));
    }

    private function named(string $sql): string {
        return preg_replace('/\{(\w+)\}/', $this->config->prefix . '$1', $sql);
    }
}
