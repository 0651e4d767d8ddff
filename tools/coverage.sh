#!/usr/bin/env bash
# Which statements of the given packages no test reaches: neither one of the package nor one that runs the command.
#   tools/coverage.sh [PACKAGE…]    e.g. ./rotate ./moodledb/... (the default)
# It prints the coverage of every package and then what is not covered, a line each: FILE:LINE-LINE and its first line.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# = 0 ]; then set -- ./rotate ./moodledb/...; fi

scratch=$(mktemp -d /tmp/mnet-coverage.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/data" "$scratch/tests"
list=$(go list "$@")
# A command that is not covered itself writes nothing.
covered=$(xargs <<<"$(go list .) $list" | tr ' ' ,)

go build -cover -coverpkg="$covered" -o "$scratch/built" .
# The command writes where GOCOVERDIR says, which go test would hide from it; test binaries where -test.gocoverdir does.
printf '#!/bin/sh\nGOCOVERDIR=%s exec %s "$@"\n' "$scratch/data" "$scratch/built" >"$scratch/renew_mnetkeys"
chmod +x "$scratch/renew_mnetkeys"
# shellcheck disable=SC2086 # a list
MNETKEYS_TEST_COMMAND=$scratch/renew_mnetkeys \
    go test -count=1 -cover -covermode=set -coverpkg="$covered" -parallel 4 -timeout 30m . ./test $list -args -test.gocoverdir="$scratch/tests" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; exit 1; }
go tool covdata percent -i "$scratch/data,$scratch/tests"
go tool covdata textfmt -i "$scratch/data,$scratch/tests" -o "$scratch/profile"
module=$(go list .)
grep -v "^$module/[^/]*:" "$scratch/profile" |
    awk -v module="$module/" 'NR > 1 { count[$1] += $3 }
    END { for (block in count) if (count[block] == 0) {
        split(substr(block, length(module) + 1), at, /[:.,]/)
        print at[1] "." at[2] ":" at[3] "-" at[5] } }' | sort -V -u |
    while IFS=:- read -r file from to; do
        printf '%s:%s-%s %s\n' "$file" "$from" "$to" "$(sed -n "$from{s/^[[:space:]]*//;p}" "$file")"
    done
