#!/bin/sh
# Test: a process that maps the device does not make a mount read old metadata
# Cases: replay shutdown
. /tests/lib.sh

DEVICE=/dev/mapper/small
export DM_DISABLE_UDEV=1

# hold: start a process that keeps the pages of $DEVICE in the page cache
hold() {
	mapdev $DEVICE >/tmp/mapped &
	holder=$!
	t_until 300 [ -s /tmp/mapped ] || t_die "mapdev does not map $DEVICE"
}

release() {
	kill $holder
	wait $holder || :
	: >/tmp/mapped
}

t_module
: >/tmp/mapped
t_run dmsetup create small --table "0 $((64 * 2048)) linear $DISK 0"
t_mkfs -l 4M $DEVICE

# check: fail unless all files of the first case are there
check() {
	for n in $(seq 300); do
		t_eq "$MNT/c/$n" "$(cat "$MNT/c/$n")" "$n"
	done
}

# The log has names and files that the home blocks do not have. The process maps
# the home blocks before the replay overwrites them.
t_case replay
t_mount $DEVICE
t_run mkdir "$MNT/a"
sync
t_remount $DEVICE
for f in /sys/fs/msyncfs/*/checkpoint_pause; do echo 1 >"$f"; done
t_run mkdir "$MNT/a/b" "$MNT/c"
for n in $(seq 300); do echo "$n" >"$MNT/c/$n"; done
sync
t_run tree shutdown "$MNT" 2
t_umount
hold
t_mount $DEVICE
t_run test -d "$MNT/a/b"
check
t_run mkdir "$MNT/a/b/d"
t_umount
release
t_fsck $DEVICE

# The shutdown loses the last changes, which are only in buffers. The process
# keeps the pages of these buffers.
t_case shutdown
t_mount $DEVICE
hold
t_run mkdir "$MNT/a/lost"
t_run tree shutdown "$MNT" 2
t_umount
t_mount $DEVICE
t_fails test -e "$MNT/a/lost"
t_run mkdir "$MNT/a/lost"
check
t_umount
release
t_fsck $DEVICE
t_run dmsetup remove small
