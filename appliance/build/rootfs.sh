#!/bin/bash
# Stage 1: a Debian root file system from the package sources that this machine already has.
#
#   rootfs.sh SUITE OUT.tar
#
# Slow (minutes), and the same for every version of Carrel: xtask keeps the result and makes it anew when packages.list
# or this script changed. Nothing of ours is in it yet. SOURCE_DATE_EPOCH, if set, is the newest time that a file has.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
suite=$1 out=$2

packages=$(sed 's/#.*//' "$here/packages.list" | tr -s '[:space:]' ',' | sed 's/^,//; s/,$//')

# Debian's own entries among the sources of this machine; others (a browser's, a cloud's) have no place in an appliance.
sources=()
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
	if [ -s "$file" ]; then sources+=("$file"); break; fi
done
[ ${#sources[@]} -gt 0 ] || { echo "no package sources in /etc/apt: name a mirror in /etc/apt/sources.list" >&2; exit 1; }

# How this machine reaches its mirror (proxy, certificates, retries) holds for the appliance's packages, too.
options=(--aptopt='Acquire::Languages "none"')
while read -r line; do options+=(--aptopt="$line"); done \
	< <(apt-config dump | grep -E '^Acquire::(Check-|http|https|Retries)' || true)

# What apt leaves behind says where and when it was built.
mmdebstrap --mode=auto --format=tar --variant=minbase --include="$packages" "${options[@]}" \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/info/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-include=/usr/share/doc/*/copyright' \
	--customize-hook='rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
	--customize-hook='rm -rf "$1"/var/lib/apt/lists "$1"/var/cache/apt "$1"/var/log/apt "$1"/var/log/*.log' \
	"$suite" "$out.new" "${sources[@]}"
mv "$out.new" "$out"
