<?php

declare(strict_types=1);

namespace phpsite;

/** The site's database; table names stand in braces, {mnet_host}, and get the prefix. */
final class database {
    private readonly \mysqli $connection;

    public function __construct(private readonly object $config) {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $this->connection = new \mysqli(
            $config->dbhost,
            $config->dbuser,
            $config->dbpass,
            $config->dbname,
            (int) ($config->dboptions['dbport'] ?: 3306),
            $config->dboptions['dbsocket'] ?: null,
        );
        $this->connection->set_charset('utf8mb4');
    }

    public static function get(): self {
        static $database = null;
        return $database ??= new self($GLOBALS['CFG']);
    }

    /** @return list<array<string, string|int|null>> */
    public function rows(string $sql, mixed ...$parameters): array {
        return $this->run($sql, ...$parameters)->fetch_all(MYSQLI_ASSOC);
    }

    public function row(string $sql, mixed ...$parameters): ?array {
        return $this->rows($sql, ...$parameters)[0] ?? null;
    }

    /** The id of the inserted row. */
    public function insert(string $table, array $values): int {
        $names = implode(', ', array_keys($values));
        $marks = implode(', ', array_fill(0, count($values), '?'));
        $this->run("INSERT INTO {{$table}} ($names) VALUES ($marks)", ...array_values($values));
        return (int) $this->connection->insert_id;
    }

    public function run(string $sql, mixed ...$parameters): \mysqli_result|bool {
        $sql = preg_replace('/\{(\w+)\}/', $this->config->prefix . '$1', $sql);
        return $this->connection->execute_query($sql, $parameters);
    }
}
