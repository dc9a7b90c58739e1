#!/bin/sh
# Test: untorn writes (RWF_ATOMIC): statx, refusals, mappings, and the disk commands
# Cases: statx refused seen mapped atomic cost small_log
# Timeout: 240
. /tests/lib.sh

pause() { for f in /sys/fs/msyncfs/*/checkpoint_pause; do echo "$1" >"$f"; done; }

prog() {
	t_rc=0
	untorn "$MNT" "$1" >/tmp/out 2>&1 || t_rc=$?
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_fail "exit status $t_rc: $(tail -n 1 /tmp/out)"
}

for c in statx refused seen mapped atomic; do
	t_case $c
	t_fresh
	prog $c
	t_umount
	t_fsck
done

t_case cost
t_fresh
pause 1
prog cost
grep pages /tmp/out | while read -r line; do t_info "$line"; done
pause 0
t_umount
t_fsck

# A record of the smallest log takes fewer pages. The largest write of statx fits.
t_case small_log
t_module
t_mkfs -l 1M "$DISK"
t_mount
prog small_log
t_info "largest write with a log of 1 MiB: $(head -n 1 /tmp/out)"
t_umount
t_fsck
