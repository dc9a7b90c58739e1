#!/bin/sh
# Test: a directory of 100,000 entries grows, lists and shrinks at an even cost
# Timeout: 400
. /tests/lib.sh

# The test kernel takes twenty times as long as the stock kernel.
entries=100000
[ ! -e /proc/lockdep ] || entries=5000

t_fresh
rc=0
dirstress "$MNT" $entries >/tmp/out 2>&1 || rc=$?
while read -r line; do t_info "$line"; done </tmp/out
[ $rc -eq 0 ] || t_fail "$(grep dirstress: /tmp/out | head -n 1)"
t_eq "files left" "$(ls -A "$MNT")" ""
t_umount
t_fsck
