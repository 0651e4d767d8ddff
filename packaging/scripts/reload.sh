#!/bin/sh
# After an installation, an upgrade and a removal. The timer is not enabled: the service has to know where Moodle is first.
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
