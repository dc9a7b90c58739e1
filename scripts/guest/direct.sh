#!/bin/sh
# Test: O_DIRECT with mappings, stalled buffers, msync and asynchronous requests
# Cases: self other edges stalled_write stalled_read race aio
# Timeout: 300
. /tests/lib.sh

for c in self other edges stalled_write stalled_read race aio; do
	t_case $c
	t_fresh
	t_rc=0
	direct "$MNT" $c >/tmp/out 2>&1 || t_rc=$?
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_fail "exit status $t_rc: $(tail -n 1 /tmp/out)"
	grep -v ': ok$' /tmp/out | while read -r line; do t_info "$c: $line"; done
	t_umount
	t_fsck
done
