#!/bin/sh
# Installs Carrel on a host with systemd (Debian, Ubuntu, RHEL and their like), beside what runs there. No network.
#
#   ./install.sh [--root DIR] [--port PORT] [--no-start]
#
# Places: /opt/carrel (releases), /usr/local/bin/carrel, /etc/carrel (configuration, trusted keys), /var/lib/carrel (data), two systemd units.
# Run again, it brings a newer version in; data and configuration stay. With a way back: carrel bundle apply (doc/operator/update.md).
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
# Each release lies in a folder of its own, and a link names the one in use: 'carrel bundle apply' lays the next one beside
# it, and a rollback leads the link back. A program that still runs keeps its file.
version=$(cat version)
home="releases/$version"
rm -rf "$root/opt/carrel/$home.new"
mkdir -p "$root/opt/carrel/$home.new"
cp -r carrel doc licences version bill.json "$root/opt/carrel/$home.new/"
chmod -R u=rwX,go=rX "$root/opt/carrel/$home.new"
chmod 755 "$root/opt/carrel/$home.new/carrel"
rm -rf "$root/opt/carrel/$home"
mv "$root/opt/carrel/$home.new" "$root/opt/carrel/$home"
ln -sfn "$home" "$root/opt/carrel/current.new"
mv -T "$root/opt/carrel/current.new" "$root/opt/carrel/current"
ln -sfn current/carrel "$root/opt/carrel/carrel"
# Whose bundles are taken: the supplier's key, if it came along, and those that its bundles bring.
mkdir -p "$root/etc/carrel/keys"
chmod 755 "$root/etc/carrel/keys"
if [ -f update.pub ] && ! [ -e "$root/etc/carrel/keys/supplier.pub" ]; then
	cp update.pub "$root/etc/carrel/keys/supplier.pub"
fi
# `carrel` as a person types it: with the configuration, as the service's account.
mkdir -p "$root/usr/local/bin"
sed -e 's|/usr/bin/carrel|/opt/carrel/carrel|' -e 's|/data/config/carrel.toml|/etc/carrel/carrel.toml|' carrel-command >"$root/usr/local/bin/carrel"
chmod 755 "$root/usr/local/bin/carrel"
mkdir -p "$root/var/lib/carrel"
chmod 700 "$root/var/lib/carrel"
chown "$owner" "$root/var/lib/carrel"

if [ ! -e "$root/etc/carrel/carrel.toml" ]; then
	cat >"$root/etc/carrel/carrel.toml" <<-TOML
	# Carrel's documentation describes every setting: /opt/carrel/current/doc/configuration.md
	data = "/var/lib/carrel"
	listen = "0.0.0.0:$port"

	[bundles]
	keys = "/etc/carrel/keys"
	program = "/opt/carrel"
	TOML
fi

# The units of the appliance, with this host's places.
sed -e '/^ExecPaths=/s|/usr/bin/carrel|/opt/carrel/releases|' -e 's|/usr/bin/carrel|/opt/carrel/carrel|g' -e 's|/data/config/carrel.toml|/etc/carrel/carrel.toml|' \
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
  carrel model import FOLDER-OR-FILE
  systemctl start carrel.socket carrel.service
TEXT
