#!/bin/sh
# Test: many threads do everything to common files; the checker is content
# Timeout: 180
. /tests/lib.sh

t_fresh
t_run stress "$MNT" 30 8 >/tmp/out
t_info "$(cat /tmp/out)"
t_umount
t_fsck
# And with hardly any log, so that it wraps and has to wait for room.
t_mkfs -l 1M "$DISK"
t_mount
t_run stress "$MNT" 15 8
t_umount
t_fsck
t_mount
t_run rm -rf "$MNT"/[df]*
t_umount
t_fsck
