#!/bin/sh
# Test: all files survive an unmount and a shutdown
# Cases: tree replay shutdown remount
# Timeout: 180
. /tests/lib.sh

t_case tree
t_fresh
t_run mkdir "$MNT/t"
t_run tree build "$MNT/t" 1
t_run tree check "$MNT/t" 1
sync
t_run tree check "$MNT/t" 1
t_umount
t_fsck
t_mount
t_run tree check "$MNT/t" 1
t_run mkdir "$MNT/u"
t_run tree build "$MNT/u" 7
t_remount
t_run tree check "$MNT/u" 7
t_run rm -rf "$MNT/u"
t_umount
t_fsck

# The data is acknowledged. Then the shutdown ioctl, without a flush, stops the
# filesystem.
t_case replay
t_mount
t_run mkdir "$MNT/v"
t_run tree build "$MNT/v" 2
sync
echo 'after the last sync' >"$MNT/lost"
t_run tree shutdown "$MNT" 2
t_fails cat "$MNT/t/dir0/file-0-0"
t_fails touch "$MNT/x"
t_umount
t_fsck
t_mount
t_run tree check "$MNT/t" 1
t_run tree check "$MNT/v" 2
t_umount
t_fsck

t_case shutdown
for flags in 0 1; do	# 0: write everything first; 1: commit the log
	t_mount
	t_run mkdir "$MNT/w$flags"
	t_run tree build "$MNT/w$flags" 3
	[ $flags = 0 ] || sync
	t_run tree shutdown "$MNT" $flags
	t_umount
	t_mount
	t_run tree check "$MNT/w$flags" 3
	t_umount
	t_fsck
done

# The mount was read-only at first, so it has opened the log late.
t_case remount
for ro in mount device; do
	[ $ro = mount ] || t_run blockdev --setro "$DISK"
	t_mount "$DISK" ro
	t_run blockdev --setrw "$DISK"
	t_run mount -o remount,rw "$MNT"
	t_run mkdir "$MNT/r$ro"
	t_run tree build "$MNT/r$ro" 4
	sync
	t_run tree shutdown "$MNT" 2
	t_umount
	t_mount
	t_run tree check "$MNT/r$ro" 4
	t_run rm -rf "$MNT/r$ro"
	t_umount
	t_fsck
done
