#!/bin/sh
# Test: on a full disk the call or store that needs space gets the error, not a later msync; no data is lost, and the disk can be used again
# Cases: written mapped files
# Timeout: 240
. /tests/lib.sh

# Use a small part of the disk, because a small disk is soon full.
export DM_DISABLE_UDEV=1
t_run dmsetup create small --table "0 $((96 * 2048)) linear $DISK 0"
t_module

for c in written mapped files; do
	t_case $c
	t_mkfs /dev/mapper/small
	t_mount /dev/mapper/small
	rc=0
	nospace "$MNT" $c >/tmp/out 2>&1 || rc=$?
	while read -r line; do t_info "$line"; done </tmp/out
	[ $rc -eq 0 ] || t_fail "$(tail -n 1 /tmp/out)"
	t_remount /dev/mapper/small
	[ $rc -ne 0 ] || [ $c = files ] || t_run nospace "$MNT" verify
	t_umount
	t_fsck /dev/mapper/small
done
