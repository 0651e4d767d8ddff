#!/usr/bin/env bash
# dist.sh DIR ARCH... packs the revision that is checked out: for each architecture a tar.gz, a .deb and an SBOM, and SHA256SUMS of them all.
# Packed twice, a revision is the same by the byte. The man page and the completions come out of the command itself.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$1
shift

umask 022
# GOWORK=off: the versions of go.mod, not those that smoke/ asks for besides.
export LC_ALL=C TZ=UTC GOWORK=off CGO_ENABLED=0
# What urfave/cli writes manuals with, a Markdown parser, is left out: ours is made by the command. As a variable, since go list and the SBOM must know too.
export GOFLAGS="${GOFLAGS:-} -tags=urfave_cli_no_docs"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# As dpkg orders them: 1.2.3~rc1, 1.2.3, 1.2.3+4.g0123abc for four commits later; 0~git… before any release.
version() {
    local tag changed=
    if [ -n "$(git status --porcelain)" ]; then changed=+dirty; fi
    if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
        sed -E "s/^v//; s/-([0-9]+)-(g[0-9a-f]+)$/+\1.\2/; s/-/~/g; s/$/$changed/" <<<"$tag"
    else
        echo "0~git$(git log -1 --format=%cd --date=format:%Y%m%d).$(git rev-parse --short=12 HEAD)$changed"
    fi
}

# Static, and the same wherever it is built.
build() { # build OS ARCH: makes $work/OS-ARCH, unless it is there
    if [ ! -e "$work/$1-$2" ]; then
        GOOS=$1 GOARCH=$2 go build -buildvcs=auto -trimpath -ldflags '-s -w' -o "$work/$1-$2" .
    fi
}

# The licences of all that is linked: most of them ask to go with the binary.
licences() {
    {
        printf 'Go\t%s\n' "$(go env GOROOT)"
        go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}' . | sort -u
    } | while IFS=$'\t' read -r name dir; do
        files=$(find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' \) | sort)
        if [ -z "$files" ]; then
            echo "dist.sh: $name has no licence in $dir" >&2
            exit 1
        fi
        printf '==== %s ====\n\n' "$name"
        while read -r file; do cat "$file" && echo; done <<<"$files"
    done
}

# What the archive of each architecture holds besides the binary.
common() { # common DIR
    local here
    mkdir -p "$1/completions" "$1/packaging"
    build "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)"
    here=$work/$(go env GOHOSTOS)-$(go env GOHOSTARCH)
    "$here" generate man >"$1/renew_mnetkeys.8"
    "$here" generate bash >"$1/completions/renew_mnetkeys.bash"
    "$here" generate zsh >"$1/completions/_renew_mnetkeys"
    "$here" generate fish >"$1/completions/renew_mnetkeys.fish"
    "$here" generate conf >"$1/renew_mnetkeys.conf"
    licences >"$1/LICENSES-THIRD-PARTY"
    cp -r README.md LICENSE "$1"
    if [ -d docs ]; then cp -r docs "$1"; fi
    cp -r packaging/README.md packaging/*/ "$1/packaging"
    chmod -R u=rwX,go=rX "$1" # however it was checked out
}

# What the binary is made of, as CycloneDX: the maker, pinned in tools/, is given a clone with the files as they are here, since it does not
# find the revision of a worktree. It asks no network, and there is no time and no serial number in what it writes.
sbom() { # sbom ARCH FILE
    if [ ! -e "$work/source" ]; then
        (cd tools && go build -trimpath -o "$work/" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod)
        git clone -q . "$work/source"
        git ls-files -z | tar --create --null --ignore-failed-read --files-from=- | tar --extract --directory="$work/source"
    fi
    GOOS=linux GOARCH=$1 GOPROXY=off "$work/cyclonedx-gomod" app -json -output-version 1.5 -std -noserial -notimestamp -output "$2" "$work/source"
}

archive() { # archive NAME: a directory of $work as $dist/NAME.tar.gz
    tar --create --directory="$work" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu \
        --mtime="@$SOURCE_DATE_EPOCH" "$1" | gzip -n >"$dist/$1.tar.gz"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(version)
mkdir -p "$dist"
rm -f "$dist"/renew_mnetkeys-* "$dist"/renew-mnetkeys_* "$dist/SHA256SUMS"
common "$work/common"
for arch; do
    name=renew_mnetkeys-$version-linux-$arch
    build linux "$arch"
    cp -r "$work/common" "$work/$name"
    mv "$work/linux-$arch" "$work/$name/renew_mnetkeys"
    sbom "$arch" "$dist/$name.cdx.json"
    archive "$name"
    packaging/deb.sh "$work/$name" "$version" "$arch" "$dist"
done
(cd "$dist" && sha256sum -- renew_mnetkeys-* renew-mnetkeys_* >SHA256SUMS)
