#!/usr/bin/env bash
# Checks and tests everything. On Debian 12 with Go and git it needs nothing else: as root it installs what is missing.
# As somebody else it runs with what there is: tests that lack a tool are skipped, with CI=true they fail.
# MariaDB, PostgreSQL, Redis and PHP run as private copies on 127.0.0.1 in a temporary directory; nothing of the system's is used.
# MNETKEYS_TEST_LONG=1 ./test.sh tries everything in full, which takes hours: see docs/reliability.md.
set -euo pipefail
cd "$(dirname "$0")"

# Compilers and checkers are short-lived and need not collect garbage, which takes a third of their time. Tests do.
export GOGC=off GOMEMLIMIT=1GiB
readonly as_users='env -u GOGC -u GOMEMLIMIT'

limit=13m        # for the tests of a package
unraced=released # how to compile what needs no race detector
systems=(darwin) # that it must compile for, beside Linux
if [ -n "${MNETKEYS_TEST_LONG:-}" ]; then
    limit=6h
    unraced=raced
    systems=(darwin freebsd)
fi
readonly limit unraced systems
readonly whole_arrays='Mesh|AtOnce|ToldAndProven' # in names of tests
# Debian packages by what they bring. The server core has no service; gcc is for the race detector.
readonly PACKAGES='
mariadbd            mariadb-server-core mariadb-client-core
mariadb-install-db  mariadb-server-core mariadb-client-core
my_print_defaults   mariadb-client-core
postgres            postgresql
pgbouncer           pgbouncer
redis-server        redis-server
gcc                 gcc libc6-dev
php                 php-cli
php:mysqli          php-mysql
php:pgsql           php-pgsql
php:pcntl           php-cli
php:xmlrpc          php-xmlrpc
php:redis           php-redis
systemd-analyze     systemd
promtool            prometheus
visudo              sudo
chromium            chromium fonts-dejavu-core
make                make
rpm                 rpm
bsdtar              libarchive-tools
man                 man-db
zsh                 zsh
fish                fish'

PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
export PATH

in_ci() { [ "${CI:-}" = true ]; }
say() { printf '\n== %s\n' "$*"; }

scratch=$(mktemp -d /tmp/mnet.XXXXXX)
databases=() # directories of MariaDB and PostgreSQL
mariadb=
postgres=
unwanted=() # files that tell Debian what not to do, while packages are installed
lane=     # pid of what runs beside: a process group of its own, so that all of it can be ended
ended() {
    rm -f "${unwanted[@]}"
    if [ -n "$lane" ]; then
        kill -- "-$lane" 2>/dev/null || true
        wait "$lane" 2>/dev/null || true
    fi
    if [ -n "$mariadb" ]; then
        kill "$mariadb" 2>/dev/null || true
        wait "$mariadb" 2>/dev/null || true
    fi
    if [ -n "$postgres" ]; then
        kill -INT "$postgres" 2>/dev/null || true # it does not wait for connections
        wait "$postgres" 2>/dev/null || true
    fi
    rm -rf "${databases[@]}"
    chmod -R u+w "$scratch" && rm -rf "$scratch"
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# As /tmp is, for tests that try what somebody else may do; but MariaDB's root has no password.
chmod 711 "$scratch"
mkdir -m 1777 "$scratch/tmp"
mkdir -m 700 "$scratch/bin" # the tools
PATH=$scratch/bin:$PATH
export TMPDIR=$scratch/tmp # whatever a test leaves behind goes with it

# --- what is missing ---

# Debian keeps a folder for each version, outside of PATH.
of_postgres() { compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -1 || command -v "$1"; }

present() {
    case $1 in
    php:*) command -v php >/dev/null && php -r "exit(extension_loaded('${1#php:}') ? 0 : 1);" ;;
    postgres) [ -n "$(of_postgres "$1")" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing() { # missing tools, or missing packages: those that are not there, on one line
    while read -r tool packages; do
        if [ -n "$tool" ] && ! present "$tool"; then
            if [ "$1" = tools ]; then echo "$tool"; else tr ' ' '\n' <<<"$packages"; fi
        fi
    done <<<"$PACKAGES" | sort -u | xargs
}

unless_there() { # unless_there FILE TEXT: until all is installed
    [ ! -e "$1" ] || return 0
    mkdir -p "$(dirname "$1")"
    unwanted+=("$1")
    # shellcheck disable=SC2059 # a format
    printf "$2" >"$1"
    chmod +x "$1"
}

install_missing() {
    local packages
    packages=$(missing packages)
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing $packages"
        # Debian would start redis-server and others for the whole system, 101 forbids it; and make a cluster of databases.
        unless_there /usr/sbin/policy-rc.d '#!/bin/sh\nexit 101\n'
        unless_there /etc/postgresql-common/createcluster.d/renew_mnetkeys.conf 'create_main_cluster = false\n'
        export DEBIAN_FRONTEND=noninteractive
        # shellcheck disable=SC2086 # a list
        { apt-get -q update && apt-get -q install -y --no-install-recommends $packages; } || echo "apt-get has failed"
    fi
    rm -f "${unwanted[@]}"
    unwanted=()
    packages=$(missing tools)
    [ -n "$packages" ] || return 0
    say "NOT INSTALLED: $packages"
    if in_ci; then
        echo "test.sh: FAILED: tools are missing, and CI=true" >&2
        exit 1
    fi
    echo "The tests that need them are skipped."
}

# --- the one MariaDB and the one PostgreSQL of the run; internal/testbed reads the variables ---

# In memory if there is room: the tables of a site are made there in 10 ms, on a busy disk in a quarter of a second.
room_for_databases() { # sets db
    local free
    free=$(df --output=avail /dev/shm 2>/dev/null | tail -1)
    if [ "${free:-0}" -gt 2000000 ]; then db=$(mktemp -d /dev/shm/mnet.XXXXXX); else db=$(mktemp -d "$scratch/db.XXXXXX"); fi
    databases+=("$db")
}

start_postgres() {
    present postgres || return 0
    say "starting PostgreSQL"
    local db port as=() account=postgres
    room_for_databases
    if [ "$(id -u)" = 0 ]; then # it refuses to run as root
        id postgres >/dev/null 2>&1 || account=nobody
        chown "$account" "$db"
        as=(setpriv --reuid="$account" --regid="$(id -g "$account")" --clear-groups)
    fi
    chmod 755 "$db" # pgbouncer may run as somebody else
    (cd "$db" && "${as[@]}" "$(of_postgres initdb)" --pgdata="$db/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync >"$db/install.log" 2>&1) || { cat "$db/install.log"; return 1; }
    # The administrator comes by the socket alone, everybody else has a password.
    printf '%s\n' 'local all postgres trust' 'local all all scram-sha-256' 'host all all 127.0.0.1/32 scram-sha-256' >"$db/data/pg_hba.conf"
    for _ in 1 2 3; do # the port may be somebody else's
        port=$((20000 + RANDOM % 12000))
        "${as[@]}" "$(of_postgres postgres)" -D "$db/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$db" \
            -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB \
            -c autovacuum=off >"$db/postgres.log" 2>&1 &
        postgres=$!
        for _ in {1..300}; do
            kill -0 "$postgres" 2>/dev/null || break
            if grep -qs 'ready to accept connections' "$db/postgres.log"; then
                export MNETKEYS_TEST_POSTGRES_SOCKET=$db MNETKEYS_TEST_POSTGRES_PORT=$port
                return 0
            fi
            sleep 0.1
        done
    done
    cat "$db/postgres.log"
    return 1
}

start_mariadb() {
    present mariadbd && present mariadb-install-db && present my_print_defaults || return 0
    say "starting MariaDB"
    local db port account
    room_for_databases
    local data=$db/data socket=$db/socket
    account=$(id -un)
    # --force: it needs no name of this machine.
    mariadb-install-db --no-defaults --force --datadir="$data" --tmpdir="$db" --user="$account" --skip-test-db \
        --auth-root-authentication-method=normal >"$db/install.log" 2>&1 || { cat "$db/install.log"; return 1; }
    for _ in 1 2 3; do # the port may be somebody else's
        port=$((20000 + RANDOM % 12000))
        mariadbd --no-defaults --user="$account" --datadir="$data" --tmpdir="$db" --socket="$socket" --pid-file="$db/pid" \
            --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --skip-log-bin --max-connections=500 \
            --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci \
            --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --innodb-buffer-pool-size=64M \
            --innodb-fast-shutdown=2 --innodb-log-file-size=16M --performance-schema=off >"$db/mariadb.log" 2>&1 &
        mariadb=$!
        for _ in {1..300}; do
            kill -0 "$mariadb" 2>/dev/null || break
            if [ -S "$socket" ]; then
                export MNETKEYS_TEST_MARIADB_SOCKET=$socket MNETKEYS_TEST_MARIADB_PORT=$port
                return 0
            fi
            sleep 0.1
        done
    done
    cat "$db/mariadb.log"
    return 1
}

# --- the checks: all are made, the last line says which failed ---

check() { # check NAME COMMAND…
    local name=$1 begun=$SECONDS
    shift
    say "$name"
    echo "$name" >>"$scratch/checks"
    if "$@"; then
        if ! grep -qxs "$name" "$scratch/unchecked"; then echo "ok, $((SECONDS - begun)) s"; fi
    else
        echo "$name" >>"$scratch/failed"
        echo "FAILED: $name" >&2
    fi
}

not_checked() { # not_checked NAME REASON
    echo "NOT CHECKED: $1 $2" >&2
    echo "$1" >>"$scratch/unchecked"
}

unchecked() { # for the last line
    if [ -e "$scratch/unchecked" ]; then printf ', NOT CHECKED: %s' "$(sort -u "$scratch/unchecked" | xargs)"; fi
}

in_smoke() { (cd smoke && "$@"); }
in_tools() { (cd tools && GOWORK=off "$@"); }
# Nobody debugs these binaries: without DWARF, and with -race without inlining too, compiling takes a sixth less; without
# a table of symbols, linking a third less.
released() { CGO_ENABLED=0 GOFLAGS="-trimpath -gcflags=all=-dwarf=false '-ldflags=-s -w'" "$@"; } # compiled as releases are
raced() { GOFLAGS="'-gcflags=all=-l -dwarf=false' '-ldflags=-s -w'" "$1" -race "${@:2}"; }
# -vet=off: tools/vet sees the tests too. Four tests of a package at a time, since they wait more than they compute.
go_test() { go test -exec "$as_users" -vet=off -parallel 4 -timeout "$limit" "$@"; }

compiled() { released go list -export -test -deps ./... >/dev/null; }

formatted() {
    local files
    files=$(gofmt -l .)
    [ -z "$files" ] || { echo "gofmt would change: $files"; return 1; }
}

tidy() {
    local code=0
    step go mod tidy -diff || code=1
    step in_smoke go mod tidy -diff || code=1
    step in_tools go mod tidy -diff || code=1
    return $code
}

# The tools of tools/go.mod, in the versions that stand there.
build_tools() {
    in_tools released go build -o "$scratch/bin/" ./vet \
        golang.org/x/vuln/cmd/govulncheck honnef.co/go/tools/cmd/staticcheck && return
    not_checked tools "can not be built"
    not_checked "static checks" "have no tools"
    ! in_ci
}

static_checks() {
    local code=0 system
    if [ ! -x "$scratch/bin/staticcheck" ]; then # build_tools has said so
        step released go vet ./... ./smoke/...
        return
    fi
    # As go vet, and more: see tools/vet. What it has found of a package stays in the build cache.
    step released go vet -vettool="$scratch/bin/vet" ./... ./smoke/... || code=1
    # What is Linux's alone must be in a file of its own: one analyzer, since it is the types that are looked at. Alone, the
    # tool reads them from source: compiling all dependencies for another system takes minutes.
    for system in "${systems[@]}"; do
        step released env GOOS="$system" vet -printf ./... || code=1
    done
    step released staticcheck ./... ./smoke/... || code=1
    step in_tools released staticcheck ./... || code=1
    vulnerable || code=1
    return $code
}

# All packages but ./test: those that start goroutines or use sync, or with -v the others, the test bed among them.
concurrent() { # concurrent [-v]
    local room files kind
    while read -r room files; do
        kind=-v
        # shellcheck disable=SC2086 # a list
        if [ "${room##*/}" != testbed ] && [ -n "$files" ] &&
            (cd "$room" && grep -qE '^\s+(go (func|[a-zA-Z.]+\()|"(sync|golang\.org/x/sync))' $files); then kind=; fi
        if [ "${1:-}" = "$kind" ]; then echo "$room"; fi
    done < <(go list -f '{{.Dir}}{{range .GoFiles}} {{.}}{{end}}' ./... | grep -vE '/test( |$)')
}

step() {
    if "$@"; then echo "ok: $*"; else echo "FAILED: $*" && return 1; fi
}

vulnerable() {
    local code=0
    released timeout 120 govulncheck ./... || code=$?
    case $code in
    0) echo "ok: govulncheck ./..." ;;
    3) echo "FAILED: govulncheck ./..." && return 1 ;; # it has found something
    *) not_checked govulncheck "did not get as far as a verdict, exit code $code" ;;
    esac
}

# Each target for ten minutes. A worker that is busy in the last moment ends its target with "context deadline exceeded", and has found nothing.
fuzzed() {
    local room target log=$scratch/fuzz.log failed=0
    for room in $(go list ./...); do
        for target in $(go test -list '^Fuzz' "$room" | grep '^Fuzz'); do
            if ! go test -run '^$' -fuzz "^$target\$" -fuzztime 10m -fuzzminimizetime=10x -timeout 30m "$room" >"$log" 2>&1 &&
                ! grep -q '^ *context deadline exceeded$' "$log"; then
                cat "$log"
                failed=1
            fi
            echo "$target: $(grep -o 'execs: [0-9]*' "$log" | tail -1)"
        done
    done
    return $failed
}

# ./test runs whole commands. With -race it takes three times as long: that is for a few that work on many sites at once.
waits() {
    # shellcheck disable=SC2046 # a list
    check "go test, concurrent packages" raced go_test $(concurrent)
    check "go test, commands" $unraced go_test -skip "$whole_arrays" ./test
}

computes() {
    check "tools" build_tools
    check "static checks" static_checks
    # shellcheck disable=SC2046 # a list
    check "go test, other packages" $unraced go_test $(concurrent -v)
    check "go test, smoke" in_smoke released go_test ./...
    check "go test, tools" in_tools released go_test ./release
    check "go test, arrays" raced go_test -run "$whole_arrays" ./test
}

main() {
    install_missing
    check "gofmt" formatted
    check "go mod tidy" tidy
    # What most tests need is compiled fastest alone: with an empty cache it is a fifth of the work.
    check "compiling" compiled
    check "MariaDB" start_mariadb
    check "PostgreSQL" start_postgres
    # What waits more than it computes, and beside it what computes more: that keeps two cores busy.
    set -m
    (trap - EXIT; computes) >"$scratch/lane.log" 2>&1 &
    lane=$!
    set +m
    waits
    wait "$lane" || echo "what ran beside" >>"$scratch/failed"
    lane=
    cat "$scratch/lane.log"
    if [ -n "${MNETKEYS_TEST_LONG:-}" ]; then
        unset GOGC GOMEMLIMIT
        check "tests on Debian's newest MySQL" tools/other_database.sh mysql
        check "tests on Debian 13's MariaDB" tools/other_database.sh mariadb
        check "benchmarks" go test -run '^$' -bench . -timeout 2h ./...
        check "fuzzing" fuzzed
    fi

    printf '\n'
    if [ -e "$scratch/failed" ]; then
        echo "test.sh: FAILED after $SECONDS s: $(paste -sd';' "$scratch/failed")"
        exit 1
    fi
    echo "test.sh: all $(wc -l <"$scratch/checks") checks passed in $SECONDS s$(unchecked)"
}

main "$@"
