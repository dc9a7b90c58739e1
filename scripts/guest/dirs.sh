#!/bin/sh
# Test: a directory of 100,000 entries grows, lists and shrinks at an even cost
# Cases: many compat
# Timeout: 400
. /tests/lib.sh

t_case many

# The test kernel takes twenty times as long as the stock kernel.
entries=100000
[ ! -e /proc/lockdep ] || entries=5000

t_fresh
rc=0
dirstress "$MNT" $entries >/tmp/out 2>&1 || rc=$?
while read -r line; do t_info "$line"; done </tmp/out
[ $rc -eq 0 ] || t_fail "$(grep dirstress: /tmp/out | head -n 1)"
t_eq "files left" "$(ls -A "$MNT")" ""

# A 32-bit program can use only positions of 31 bits.
t_case compat
t_run readdir32 "$MNT"
t_eq "files left" "$(ls -A "$MNT")" ""
t_umount
t_fsck
