#!/bin/sh
# Removes the program and its units. Data (/var/lib/carrel) and configuration (/etc/carrel) stay.
set -eu
[ "$(id -u)" = 0 ] || { echo "uninstall.sh: run it as root" >&2; exit 1; }
systemctl disable --now carrel.service carrel.socket 2>/dev/null || true
rm -rf /etc/systemd/system/carrel.service /etc/systemd/system/carrel.socket /opt/carrel /usr/local/bin/carrel
systemctl daemon-reload
echo "Removed. What Carrel knew is still in /var/lib/carrel."
