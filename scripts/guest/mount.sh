#!/bin/sh
# Test: after mkfs, mount, write, unmount and mount the data is there
# Cases: write read_back label unload
. /tests/lib.sh

t_case write
t_fresh
seq 1 20000 >/tmp/data
t_run cp /tmp/data "$MNT/file"
t_run cmp /tmp/data "$MNT/file"
t_umount

t_case read_back
t_mount
t_run cmp /tmp/data "$MNT/file"
t_fails rmmod msyncfs
t_umount
t_fsck

t_case label
t_mount
long=12345678901234567890123456789012
for l in name "$long" "" last; do
	t_run xfs_io -c "label ${l:+-s} ${l:--c}" "$MNT"
	t_eq label "$(xfs_io -c label "$MNT")" "label = \"$l\""
done
t_fails xfs_io -c "label -s ${long}3" "$MNT"
chmod 755 "$MNT"
t_fails su nobody -s /bin/sh -c "xfs_io -r -c 'label -s mine' $MNT/file"
t_run mount -o remount,ro "$MNT"
t_fails xfs_io -c "label -s other" "$MNT"
t_remount
t_eq label "$(xfs_io -c label "$MNT")" 'label = "last"'
t_umount
t_fsck

t_case unload
t_run rmmod msyncfs
t_eq "slab caches left" "$(find /sys/kernel/slab -name '*msyncfs*' | wc -l)" 0
