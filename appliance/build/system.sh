#!/bin/bash
# Stage 2: the root file system of this version, sealed: what goes into a slot of the disk.
#
#   ROOTFS=rootfs.tar CARREL=path/to/carrel VERSION=1.2.3 PUBLIC_KEY=update.pub DOCS=docs EXTRA=folder BILL=bill.json \
#   LEVEL=1..22 TEST=0|1 WORK=scratch system.sh OUT
#
# EXTRA holds what else goes to /usr/share/carrel: the crates' licences. BILL is the bill of materials without packages.
# OUT becomes the folder with root.squashfs, root.verity, vmlinuz, initrd.img and slot.cfg. Needs root, for owners of
# files and a chroot. SOURCE_DATE_EPOCH is the time that everything bears.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
out=$1
: "${ROOTFS:?}" "${CARREL:?}" "${VERSION:?}" "${PUBLIC_KEY:?}" "${DOCS:?}" "${EXTRA:?}" "${BILL:?}" "${WORK:?}" "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
root=$WORK/root

rm -rf --one-file-system "$root" "$out"
mkdir -p "$root" "$out"
tar -C "$root" -xpf "$ROOTFS"

echo "adding Carrel"
cp -a --no-preserve=ownership "$here/root/." "$root/"
install -m 755 "$CARREL" "$root/usr/bin/carrel"
[ "${STRIP:-1}" = 0 ] || strip --strip-debug "$root/usr/bin/carrel"
share=$root/usr/share/carrel
echo "$VERSION" >"$share/version"
install -m 644 "$PUBLIC_KEY" "$share/update.pub"
mkdir -p "$share/doc"
cp -r "$DOCS/." "$share/doc/"
cp -r "$EXTRA/." "$share/"
chmod -R u=rwX,go=rX "$share"

# Accounts: the service's own, and nobody who could sign in.
echo 'carrel:x:900:900:Carrel:/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'carrel:x:900:' >>"$root/etc/group"
echo 'carrel:!*:1::::::' >>"$root/etc/shadow"
# Accounts of their own for what counts packets and asks disks (a dynamic one's folder could be read by root alone), and for
# what the firewall lets reach servers inside.
for account in egress:901 disks:902 reach:903; do
	echo "carrel-${account%:*}:x:${account#*:}:${account#*:}:Carrel:/nonexistent:/usr/sbin/nologin" >>"$root/etc/passwd"
	echo "carrel-${account%:*}:x:${account#*:}:" >>"$root/etc/group"
	echo "carrel-${account%:*}:!*:1::::::" >>"$root/etc/shadow"
done
# No password fits; not locked either, for then sshd would refuse keys as well.
sed -i 's/^root:[^:]*:/root:*:/' "$root/etc/shadow"
# Packages note the day of their installation as that of an account's last password: it would differ from build to build.
sed -i -E 's/^([^:]*:[^:]*:)[0-9]+:/\11:/' "$root/etc/shadow"
mkdir -p "$root/data" "$root/media/usb" "$root/mnt/backup"
echo carrel >"$root/etc/hostname"
printf '127.0.0.1 localhost carrel\n::1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/machine-id"
: >"$root/etc/fstab"
# There is no resolver: names are not looked up.
rm -f "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
sed -i 's/^hosts:.*/hosts: files/; s/^networks:.*/networks: files/' "$root/etc/nsswitch.conf"

units() { systemctl --root="$root" -q "$@" 2>/dev/null; }
units enable nftables.service systemd-networkd.service data.mount carrel-site.service carrel-prepare.service \
	carrel.socket carrel.service carrel-health.service carrel-egress.timer carrel-disks.timer carrel-console@tty1.service \
	carrel-console@ttyS0.service media-usb.mount mnt-backup.mount
# Neither logins nor anything that would look for the world outside.
units mask getty@.service serial-getty@.service console-getty.service ssh.service ssh.socket \
	systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer systemd-firstboot.service \
	systemd-pstore.service smartmontools.service smartd.service emergency.service rescue.service debug-shell.service || true
units set-default multi-user.target

# For `cargo xtask test-image` only: a root shell on the serial line, and a screen that says so.
if [ "${TEST:-0}" = 1 ]; then
	touch "$share/test-image"
	echo "${HEALTH_SECONDS:-600}" >"$share/health-seconds"
	mkdir -p "$root/etc/systemd/system/carrel-console@ttyS0.service.d"
	printf '[Service]\nExecStart=\nExecStart=-/bin/bash --noprofile --norc -i\nEnvironment=TERM=dumb "PS1=TEST-SHELL# "\nStandardError=tty\nTTYVHangup=no\n' \
		>"$root/etc/systemd/system/carrel-console@ttyS0.service.d/test.conf"
fi
[ ! -d "${OVERLAY:-}" ] || cp -a --no-preserve=ownership "$OVERLAY/." "$root/"

# What is installed, for the bill of materials, and under which terms: Debian keeps a copyright file a package.
chroot "$root" dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n' | LC_ALL=C sort >"$WORK/packages.tsv"
jq -R --slurpfile bill "$BILL" -n '$bill[0] | .components += [inputs | split("\t") |
	{type: "library", name: .[0], version: .[1], purl: "pkg:deb/debian/\(.[0])@\(.[1] | @uri)?arch=\(.[2])"} |
	. + {"bom-ref": .purl}]' <"$WORK/packages.tsv" >"$share/bill.cdx.json"

echo "making the initramfs"
kernel=$(ls "$root/lib/modules" | sort -V | tail -1)
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
trap 'umount -l "$root/proc" "$root/dev" 2>/dev/null || true' EXIT
chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
	mkinitramfs -o /boot/initrd.carrel "$kernel"
umount -l "$root/proc" "$root/dev"
trap - EXIT
mv "$root/boot/initrd.carrel" "$out/initrd.img"
cp "$root/boot/vmlinuz-$kernel" "$out/vmlinuz"

# What differs from build to build, or says what was built when, or is of no use in a system that cannot be changed.
rm -rf "${root:?}"/boot/* "$root"/var/cache/* "$root"/var/log/* "$root"/tmp/* "$root"/var/lib/dpkg/*-old \
	"$root"/var/lib/dbus/machine-id "$root"/var/lib/systemd/random-seed "$root"/etc/ssh/ssh_host_* \
	"$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- "$root"/etc/.pwd.lock
find "$root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"

echo "compressing"
mksquashfs "$root" "$out/root.squashfs" -comp zstd -Xcompression-level "${LEVEL:-19}" -b 256K -noappend -no-progress \
	-quiet -reproducible -wildcards -e 'proc/*' 'sys/*' 'dev/*' 'run/*'
rm -rf --one-file-system "$root"

# The salt follows from the content, so that the same content gives the same hash.
hash=$(veritysetup format --salt="$(sha256sum "$out/root.squashfs" | cut -c1-64)" \
	--uuid=00000000-0000-0000-0000-000000000001 "$out/root.squashfs" "$out/root.verity" | awk '/Root hash/ {print $3}')
echo "set HASH=$hash" >"$out/slot.cfg"
