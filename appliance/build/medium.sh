#!/bin/bash
# Stage 4: the installer image, one file that starts from a DVD or, written raw, from a USB stick, by BIOS or UEFI.
#
#   SYSTEM=folder MODELS=folder|'' ROOTFS=rootfs.tar PUBLIC_KEY=update.pub VERSION=1.2.3 WORK=scratch \
#   PRESEED=file|'' medium.sh OUT.iso
set -euo pipefail
out=$1
: "${SYSTEM:?}" "${ROOTFS:?}" "${PUBLIC_KEY:?}" "${VERSION:?}" "${WORK:?}" "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
tree=$WORK/medium
rm -rf "${tree:?}" "${WORK:?}/boot"
mkdir -p "$tree/boot/grub/i386-pc" "$tree/carrel" "$tree/.disk" "${WORK:?}/boot"

# Hard links: the image is written from the one copy there is.
cp -al "$SYSTEM" "$tree/carrel/system"
[ -z "${MODELS:-}" ] || cp -alL "$MODELS" "$tree/carrel/models" 2>/dev/null || cp -rL "$MODELS" "$tree/carrel/models"
cp "$PUBLIC_KEY" "$tree/carrel/update.pub"
[ -z "${PRESEED:-}" ] || cp "$PRESEED" "$tree/carrel-preseed.conf"
# Debian's signed GRUB looks for this file to know its medium.
echo "Carrel $VERSION" >"$tree/.disk/info"

hash=$(sed -n 's/^set HASH=//p' "$SYSTEM/slot.cfg")
cat >"$tree/boot/grub/grub.cfg" <<G
set superusers=nobody
if serial --unit=0 --speed=115200; then
	terminal_input console serial
	terminal_output console serial
fi
set timeout=${TIMEOUT:-5}
set default=0
search --no-floppy --label --set=root CARREL_INSTALL
menuentry "Install Carrel $VERSION" --unrestricted {
	linux /carrel/system/vmlinuz boot=carrel carrel.medium=CARREL_INSTALL carrel.verity=$hash systemd.unit=carrel-installer.target panic=10 quiet console=ttyS0,115200 console=tty0
	initrd /carrel/system/initrd.img
}
G

# The loaders are those of the appliance's own Debian, not of the machine that builds.
tar -C "${WORK:?}/boot" -xf "$ROOTFS" ./usr/lib/grub ./usr/lib/shim
grub=$WORK/boot/usr/lib/grub
cp "$grub"/i386-pc/*.mod "$grub"/i386-pc/*.lst "$tree/boot/grub/i386-pc/"
grub-mkimage -d "$grub/i386-pc" -O i386-pc-eltorito -p /boot/grub -o "$tree/boot/grub/eltorito.img" \
	biosdisk iso9660 part_gpt part_msdos normal linux search search_label search_fs_file configfile serial terminal test echo all_video

efi=$WORK/efi.img
rm -f "$efi"
truncate -s 8M "$efi"
mkfs.vfat --invariant -i CA88E100 -n CARRELEFI "$efi" >/dev/null
stage=$WORK/boot/EFI
mkdir -p "$stage/BOOT"
cp "$WORK/boot/usr/lib/shim/shimx64.efi.signed" "$stage/BOOT/BOOTX64.EFI"
cp "$WORK/boot/usr/lib/shim/mmx64.efi.signed" "$stage/BOOT/mmx64.efi"
cp "$grub/x86_64-efi-signed/gcdx64.efi.signed" "$stage/BOOT/grubx64.efi"
find "$WORK/boot/EFI" "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
TZ=UTC mcopy -smi "$efi" "$stage" ::

# The time stands for the identifiers of the volume and the partition table, too.
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
xorriso -as mkisofs -quiet -r -J -joliet-long -V CARREL_INSTALL -iso-level 3 -o "$out" \
	--modification-date="$stamp" --gpt_disk_guid modification-date \
	--grub2-mbr "$grub/i386-pc/boot_hybrid.img" -partition_offset 16 --mbr-force-bootable \
	-append_partition 2 0xef "$efi" -appended_part_as_gpt -iso_mbr_part_type a2a0d0ebe5b9334487c068b6b72699c7 \
	-c boot/boot.cat -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	-eltorito-alt-boot -e '--interval:appended_partition_2:all::' -no-emul-boot "$tree"
rm -rf "${tree:?}" "${WORK:?}/boot" "$efi"
