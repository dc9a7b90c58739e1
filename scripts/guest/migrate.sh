#!/bin/sh
# Test: an msync does not disturb pages that the kernel moves to other memory
# Timeout: 200
. /tests/lib.sh

t_fresh
# Each move takes a page, so that the number of calls is limited.
out=$(timeout 150 migrate "$MNT/file" 1500) || t_die "exit status $?"
t_info "$out"
t_umount
t_fsck
