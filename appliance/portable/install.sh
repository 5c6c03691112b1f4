#!/bin/sh
# Installs Carrel on a host with systemd (Debian, Ubuntu, RHEL and their like), beside what runs there. No network.
#
#   ./install.sh [--root DIR] [--port PORT] [--no-start]
#
# Places: /opt/carrel (program), /etc/carrel/carrel.toml (configuration), /var/lib/carrel (data), two systemd units.
# Run again, it brings a newer version in; data and configuration stay.
set -eu
root='' port=443 start=yes
while [ $# -gt 0 ]; do
	case "$1" in
	--root) root=$2; start=no; shift 2 ;;
	--port) port=$2; shift 2 ;;
	--no-start) start=no; shift ;;
	*) echo "install.sh: $1 is not known; see the top of this file" >&2; exit 2 ;;
	esac
done
fail() { echo "install.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "run it as root"
case "$port" in '' | *[!0-9]*) fail "--port $port is no port" ;; esac
cd "$(dirname "$0")"
# Says at once whether this host's C library and processor will do.
./carrel --version >/dev/null || fail "the program does not run on this host: it needs glibc 2.36 or newer on $(uname -m)"

if ! grep -q '^carrel:' "$root/etc/passwd"; then
	if [ -n "$root" ]; then
		echo 'carrel:x:900:900:Carrel:/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
		echo 'carrel:x:900:' >>"$root/etc/group"
	else
		useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin carrel
	fi
fi
owner=$(awk -F: '$1 == "carrel" {print $3 ":" $4}' "$root/etc/passwd")

if [ $start = yes ]; then systemctl stop carrel.service 2>/dev/null || true; fi
mkdir -p "$root/opt/carrel" "$root/etc/carrel" "$root/etc/systemd/system"
# A new name and a rename: a program that still runs keeps its file.
cp carrel "$root/opt/carrel/carrel.new"
chmod 755 "$root/opt/carrel/carrel.new"
mv "$root/opt/carrel/carrel.new" "$root/opt/carrel/carrel"
rm -rf "$root/opt/carrel/doc" "$root/opt/carrel/licences"
cp -r doc licences version bill.json "$root/opt/carrel/"
mkdir -p "$root/var/lib/carrel"
chmod 700 "$root/var/lib/carrel"
chown "$owner" "$root/var/lib/carrel"

if [ ! -e "$root/etc/carrel/carrel.toml" ]; then
	cat >"$root/etc/carrel/carrel.toml" <<-TOML
	# Carrel's documentation describes every setting: /opt/carrel/doc/configuration.md
	data = "/var/lib/carrel"
	listen = "0.0.0.0:$port"
	TOML
fi

# The units of the appliance, with this host's places.
sed -e 's|/usr/bin/carrel|/opt/carrel/carrel|g' -e 's|/data/config/carrel.toml|/etc/carrel/carrel.toml|' \
	-e 's|/data/carrel|/var/lib/carrel|g' -e '/^InaccessiblePaths=/d' -e '/^RequiresMountsFor=/d' \
	-e 's/ data.mount carrel-prepare.service//' -e '/^Wants=carrel-prepare/d' -e '/^ExecPaths=/s|$| /lib /lib64|' \
	systemd/carrel.service >"$root/etc/systemd/system/carrel.service"
sed -e "s/^ListenStream=.*/ListenStream=$port/" systemd/carrel.socket >"$root/etc/systemd/system/carrel.socket"

if [ $start = yes ]; then
	systemctl daemon-reload
	if [ -n "$(find /var/lib/carrel/models -mindepth 1 2>/dev/null)" ]; then
		systemctl enable --now carrel.socket carrel.service
		echo "Carrel $(cat version) is at port $port."
		exit 0
	fi
	systemctl enable carrel.socket carrel.service
fi
cat <<TEXT
Carrel $(cat version) is installed. Before its first start it needs a model that embeds, and one that writes:
  setpriv --reuid=carrel --regid=carrel --clear-groups /opt/carrel/carrel --data /var/lib/carrel model import FOLDER-OR-FILE
  systemctl start carrel.socket carrel.service
TEXT
