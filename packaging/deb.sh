#!/usr/bin/env bash
# deb.sh RELEASE VERSION ARCH DIR makes a Debian package of what dist.sh has gathered in RELEASE. It depends on nothing: the binary is static.
set -euo pipefail
release=$1 version=$2 arch=$3 dist=$4
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install_as() { # install_as MODE FILE PATH
    install -D -m "$1" "$release/$2" "$root/$3"
}

doc=usr/share/doc/renew-mnetkeys # a package's name has no underscore
install_as 755 renew_mnetkeys usr/bin/renew_mnetkeys
install_as 644 renew_mnetkeys.8 usr/share/man/man8/renew_mnetkeys.8
install_as 644 completions/renew_mnetkeys.bash usr/share/bash-completion/completions/renew_mnetkeys
install_as 644 completions/_renew_mnetkeys usr/share/zsh/vendor-completions/_renew_mnetkeys
install_as 644 completions/renew_mnetkeys.fish usr/share/fish/vendor_completions.d/renew_mnetkeys.fish
# For the web server's user to read, whoever that is; it holds no password.
install_as 644 renew_mnetkeys.conf etc/renew_mnetkeys.conf
for unit in renew_mnetkeys.service renew_mnetkeys.timer; do
    install_as 644 packaging/systemd/$unit lib/systemd/system/$unit
done
install_as 644 README.md $doc/README.md
# Examples do nothing until somebody installs them: what lets others run the command above all.
mkdir "$root/$doc/examples"
for example in cron.d icinga2 kubernetes nagios nrpe prometheus sudoers.d; do
    cp -r "$release/packaging/$example" "$root/$doc/examples"
done
if [ -d "$release/docs" ]; then cp -r "$release/docs" "$root/$doc"; fi
{
    cat "$release/LICENSE"
    printf '\n\nThe binary holds the following besides.\n\n'
    cat "$release/LICENSES-THIRD-PARTY"
} >"$root/$doc/copyright"
printf 'renew-mnetkeys (%s) unstable; urgency=medium\n\n  * This revision.\n\n -- %s  %s\n' \
    "$version" "$(sed -n 's/^Maintainer: //p' "$here/control")" "$(date -Rud "@$SOURCE_DATE_EPOCH")" >"$root/$doc/changelog"
gzip -9n "$root/$doc/changelog" "$root/usr/share/man/man8/renew_mnetkeys.8"

size=$(du -sk --apparent-size "$root" | cut -f1)
mkdir "$root/DEBIAN"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort | xargs md5sum >DEBIAN/md5sums)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" "$here/control" >"$root/DEBIAN/control"
echo /etc/renew_mnetkeys.conf >"$root/DEBIAN/conffiles"
install -m 755 "$here/postinst" "$here/prerm" "$here/postrm" "$root/DEBIAN"
# -z1: a sixth larger than by -z6, in a quarter of the time.
dpkg-deb -Zxz -z1 --root-owner-group --build "$root" "$dist/renew-mnetkeys_${version}_$arch.deb" >/dev/null
