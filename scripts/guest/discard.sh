#!/bin/sh
# Test: free blocks are discarded, by fstrim and by the mount option discard
# Cases: fstrim range option refused
# Timeout: 300
. /tests/lib.sh

# The device is a file on tmpfs. A discard makes a hole in this file.
t_module
t_run modprobe loop
mkdir -p /tmp/discard
t_run mount -t tmpfs -o size=300M tmpfs /tmp/discard
t_run truncate -s 256M /tmp/discard/disk
loop=$(losetup -f)
t_run losetup "$loop" /tmp/discard/disk
t_mkfs -l 4M "$loop"
used() { du -k /tmp/discard/disk | cut -f 1; }
fill() { t_run dd if=/dev/urandom of="$MNT/$1" bs=1M count="$2" conv=fsync 2>/dev/null; }

# clean: remove a file, and bring the record home: until then the blocks are not free
clean() {
	t_run rm "$MNT/$1"
	t_run xfs_io -x -c freeze -c thaw "$MNT"
}

t_case fstrim
t_mount "$loop"
fill kept 8
sum=$(md5sum <"$MNT/kept")
fill gone 64
t_le "KiB that the device needs without the file" 73728 "$(used)"
clean gone
t_run fstrim "$MNT"
t_le "KiB that the device needs after fstrim" "$(used)" 20480
echo 3 >/proc/sys/vm/drop_caches
t_eq "sum of the other file" "$(md5sum <"$MNT/kept")" "$sum"

t_case range
fill gone 16
clean gone
fstrim -v -o 250M -l 1M "$MNT" >/tmp/out || t_die "fstrim: $(cat /tmp/out)"
grep -q ' 1048576 bytes' /tmp/out || t_die "1 MiB: $(cat /tmp/out)"

t_case option
t_umount
t_mount "$loop" discard
grep -q " $MNT msyncfs .*discard" /proc/mounts || t_die "the option is not in /proc/mounts"
fill gone 64
t_le "KiB that the device needs without the file" 65536 "$(used)"
# A freeze would make the blocks available without a discard, so wait for the checkpoint.
t_run rm "$MNT/gone"
t_run sync
small() { [ "$(used)" -le 40960 ]; }
t_until 600 small || t_die "the device still needs $(used) KiB"
t_run mount -o remount,nodiscard "$MNT"
fill gone 64
clean gone
t_le "KiB that the device needs without the option" 65536 "$(used)"
echo 3 >/proc/sys/vm/drop_caches
t_eq "sum of the other file" "$(md5sum <"$MNT/kept")" "$sum"
t_umount
t_fsck "$loop"

t_case refused
t_run losetup -d "$loop"
t_run umount /tmp/discard
t_run modprobe null_blk nr_devices=1 memory_backed=1 gb=1
t_mkfs -f /dev/nullb0
t_mount /dev/nullb0 discard
t_log "the device cannot discard"
! fstrim "$MNT" 2>/tmp/out || t_die "fstrim succeeds on a device that cannot discard"
t_umount
t_run mount -t msyncfs -o ro /dev/nullb0 "$MNT"
! fstrim "$MNT" 2>/tmp/out || t_die "fstrim succeeds on a read-only mount"
t_umount
