#!/bin/sh
# An upgrade (dpkg: upgrade, rpm: 1) leaves the timer as it is. If it stayed enabled after a removal, its link would lead nowhere.
case $1 in upgrade | failed-upgrade | deconfigure | 1) exit 0 ;; esac
if command -v systemctl >/dev/null; then
    if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl stop renew_mnetkeys.timer || true; fi
    systemctl --quiet --root="${DPKG_ROOT:-/}" disable renew_mnetkeys.timer || true
fi
