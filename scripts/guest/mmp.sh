#!/bin/sh
# Test: multi-mount protection: a filesystem in use through one device cannot be mounted through another
# Cases: busy check clean crash
# Timeout: 180
. /tests/lib.sh

export DM_DISABLE_UDEV=1
HERE=/dev/mapper/here THERE=/dev/mapper/there
OTHER=/tmp/other
mkdir -p $OTHER

# The two devices are linear mappings of the same disk. Each has a page cache of its own,
# like the devices of two machines that share a disk.
t_module
t_run hostname first-machine
for d in here there; do t_run dmsetup create $d --table "0 $((64 * 2048)) linear $DISK 0"; done
t_mkfs -O mmp -l 4M $HERE
here=$(dmsetup info -c --noheadings -o blkdevname here)
there=$(dmsetup info -c --noheadings -o blkdevname there)

# refused OPTIONS: mount there, which must fail. The mount of busybox exits with 255
refused() {
	t_rc=0
	# shellcheck disable=SC2086 # several options
	mount -t msyncfs $1 $THERE $OTHER || t_rc=$?
	[ $t_rc -ne 0 ] || t_die "the second mount succeeded"
}

t_case busy
t_mount $HERE
t_run cp /bin/busybox "$MNT/file"
refused ""
t_log "msyncfs ($there): in use on another machine: node first-machine, device $here, last heartbeat 20"
refused "-o ro"
t_run cmp /bin/busybox "$MNT/file"

t_case check
for mode in -n -y; do
	t_rc=0
	fsck.msyncfs $mode $THERE >/tmp/fsck 2>&1 || t_rc=$?
	t_eq "exit status of fsck.msyncfs $mode" $t_rc 8
	grep -q "in use on another machine: node first-machine, device $here, last" /tmp/fsck ||
		t_die "not in the report of fsck.msyncfs: $(cat /tmp/fsck)"
done
t_run cp /bin/busybox "$MNT/file2"

t_case clean
t_umount
began=$(cut -d . -f 1 /proc/uptime)
t_run mount -t msyncfs $THERE $OTHER
t_le "seconds of a mount after an unmount" $(($(cut -d . -f 1 /proc/uptime) - began)) 5
t_run cmp /bin/busybox $OTHER/file2

# After a crash, the mount waits until a living machine would have written a heartbeat.
t_case crash
t_run tree shutdown $OTHER 2
t_umount $OTHER
t_mount $HERE
t_log "msyncfs ($here): was not unmounted, or is in use on another machine: waiting for 11000 ms"
t_run cmp /bin/busybox "$MNT/file2"
t_umount
t_fsck $HERE
for d in here there; do t_run dmsetup remove $d; done
