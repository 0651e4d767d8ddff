#!/usr/bin/env bash
# Runs a command, else the tests of the store, the lock, packet faults and renewals, on another server than Debian 12's:
# the MySQL of Debian's development suite, or the MariaDB of Debian 13.
# tools/other_database.sh mysql|mariadb [COMMAND…]
# Its packages, with all libraries, are fetched into a temporary directory by a private copy of apt, which checks their signatures;
# nothing is installed, and nothing of it is left. It works on Debian and needs neither root nor a running server.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MIRROR=${MIRROR:-http://deb.debian.org/debian} KIND=${1:-}
case $KIND in
mysql) readonly SUITE=sid PACKAGE=mysql-server-core PROGRAM=mysqld OPTIONS=(--mysqlx=OFF --secure-file-priv=NULL --innodb-redo-log-capacity=64M) ;;
mariadb) readonly SUITE=trixie PACKAGE=mariadb-server-core PROGRAM=mariadbd OPTIONS=() ;;
*) echo "usage: $0 mysql|mariadb [COMMAND…]" >&2; exit 2 ;;
esac
shift
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

scratch=$(mktemp -d /tmp/mnetmy.XXXXXX)
database=
process=
ended() {
    if [ -n "$process" ]; then
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    fi
    if [ -n "$database" ]; then rm -rf "$database"; fi
    chmod -R u+w "$scratch" && rm -rf "$scratch"
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# apt with directories of its own, in which nothing is installed: so it fetches every library, the C library too.
private_apt() {
    local tool=$1
    shift
    "$tool" -q -o Dir::State="$scratch/apt" -o Dir::State::Lists="$scratch/apt/lists" -o Dir::State::status="$scratch/apt/status" \
        -o Dir::Cache="$scratch/apt/cache" -o Dir::Etc="$scratch/apt/etc" -o Dir::Etc::Trusted="$KEYRING" -o Dir::Etc::TrustedParts=- -o Debug::NoLocking=1 \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User="$(id -un)" "$@"
}

fetch() {
    mkdir -p "$scratch"/apt/{lists/partial,cache/archives/partial,etc/{apt.conf.d,preferences.d,sources.list.d}} "$scratch/root"
    : >"$scratch/apt/status"
    echo "deb [signed-by=$KEYRING] $MIRROR $SUITE main" >"$scratch/apt/etc/sources.list"
    {
        private_apt apt-get update
        private_apt apt-get -y --no-install-recommends --download-only install "$PACKAGE"
    } >"$scratch/apt.log" 2>&1 || { cat "$scratch/apt.log"; return 1; }
    local package
    for package in "$scratch"/apt/cache/archives/*.deb; do
        case ${package##*/} in
        perl*|libperl*) ;; # for its scripts
        *) dpkg-deb -x "$package" "$scratch/root" ;;
        esac
    done
    rm -rf "$scratch/apt"
}

# The server is run by the C library that came with it.
server() {
    local root=$scratch/root loader library
    loader=$(find "$root" -name 'ld-linux*.so.*' | head -1)
    library=$(dirname "$(find "$root" -name 'libc.so.6' | head -1)")
    exec "$loader" --library-path "$library" "$root/usr/sbin/$PROGRAM" --no-defaults --user="$(id -un)" --basedir="$root/usr" \
        --lc-messages-dir="$root/usr/share/$KIND" --character-sets-dir="$root/usr/share/$KIND/charsets" --datadir="$database/data" --tmpdir="$database" "$@"
}

# install makes the data directory, whose root needs no password.
install() {
    local scripts=$scratch/root/usr/share/mariadb
    case $KIND in
    mysql) (server --secure-file-priv=NULL --initialize-insecure) ;;
    mariadb)
        mkdir "$database/data"
        {
            printf '%s;\n' "CREATE DATABASE mysql" "USE mysql" "SET @auth_root_socket = NULL"
            cat "$scripts"/mariadb_{system_tables,performance_tables,system_tables_data}.sql
        } >"$database/install.sql"
        (server --bootstrap <"$database/install.sql")
        ;;
    esac
}

start() {
    local free port
    free=$(df --output=avail /dev/shm 2>/dev/null | tail -1)
    if [ "${free:-0}" -gt 2000000 ]; then database=$(mktemp -d /dev/shm/mnet.XXXXXX); else database=$(mktemp -d "$scratch/db.XXXXXX"); fi
    install >"$database/install.log" 2>&1 || { cat "$database/install.log"; return 1; }
    for _ in 1 2 3; do # the port may be somebody else's
        port=$((20000 + RANDOM % 12000))
        server --socket="$database/socket" --pid-file="$database/pid" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --skip-log-bin \
            --max-connections=500 --innodb-flush-log-at-trx-commit=0 --innodb-fast-shutdown=2 --performance-schema=OFF \
            "${OPTIONS[@]}" >"$database/mysql.log" 2>&1 &
        process=$!
        for _ in {1..600}; do
            kill -0 "$process" 2>/dev/null || break
            if grep -qs 'ready for connections' "$database/mysql.log"; then
                export MNETKEYS_TEST_MYSQL_SOCKET=$database/socket MNETKEYS_TEST_MYSQL_PORT=$port
                return 0
            fi
            sleep 0.1
        done
    done
    cat "$database/mysql.log"
    return 1
}

tests() {
    go test -vet=off -parallel 4 -timeout 1h ./moodledb
    go test -vet=off -parallel 4 -timeout 1h -run 'TestAWarmTenant|TestAPeerThatWasDown|TestNewkey|TestBindhost|TestTwoRuns|TestMoodleRenews|TestWithoutLocks|TestHowAnArrayIsTold' ./test
}

fetch
start
(server --version) | sed "s/.*Ver/$KIND/"
if [ $# -gt 0 ]; then "$@"; else tests; fi
