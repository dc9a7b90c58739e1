#!/bin/sh
# Test: after mkfs, mount, write, unmount and mount the data is there
# Cases: write read_back unload
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

t_case unload
t_run rmmod msyncfs
t_eq "slab caches left" "$(find /sys/kernel/slab -name '*msyncfs*' | wc -l)" 0
