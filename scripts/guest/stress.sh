#!/bin/sh
# Test: many threads do all operations on common files; fsck finds no damage
# Timeout: 180
. /tests/lib.sh

t_fresh
t_run stress "$MNT" 30 8 >/tmp/out
t_info "$(cat /tmp/out)"
t_umount
t_fsck
# Run the program once more with the smallest log. The smallest log wraps often, and
# commits must wait for space in the log.
t_mkfs -l 1M "$DISK"
t_mount
t_run stress "$MNT" 15 8
t_umount
t_fsck
t_mount
t_run rm -rf "$MNT"/[df]*
t_umount
t_fsck
