#!/bin/sh
# Test: random operations on ordinary and atomic files always find the content that a model has
# Cases: ordinary deep atomic together option fsck
# Timeout: 240
#
# FSX_SEED (default: random): the seed of each run. FSX_OPS (default 3000): operations of
# each run.
. /tests/lib.sh

seed=${FSX_SEED:-$(date +%s)}
nr=${FSX_OPS:-3000}

# x OPTION...: run fsx. A difference ends the test. The report has the last operations.
x() {
	t_rc=0
	fsx -s "$seed" -n "$nr" "$@" "$MNT/file" >/tmp/out 2>&1 || t_rc=$?
	[ $t_rc -eq 0 ] || while IFS= read -r line; do t_info "$line"; done </tmp/out
	[ $t_rc -eq 0 ] || t_die "fsx -s $seed -n $nr $*: $(tail -n 1 /tmp/out)"
}

t_case ordinary
t_info "FSX_SEED=$seed"
t_module
# A small log wraps often.
t_mkfs -l 2M "$DISK"
t_mount
# The first name gives the directory a block.
touch "$MNT/file"
sync
free=$(($(stat -f -c %f "$MNT") + 1))	# and the inode of the file
x
x -l 8		# most operations touch the end of the file

# The operations are where the map gets another level.
t_case deep
x -b 440 -l 16
x -b 262100 -l 100

t_case atomic
x -a
x -a -l 8
x -a -b 440 -l 16

t_case together
nr=$((nr / 5))
x -p 4 -l 700
x -p 4 -l 700 -a

t_case option
t_eq "free blocks" "$(sync; stat -f -c %f "$MNT")" "$free"
t_umount
t_fsck
t_mount "$DISK" atomic
nr=$((nr * 5))
x -A
x -A -l 8

t_case fsck
t_eq "free blocks" "$(sync; stat -f -c %f "$MNT")" "$free"
t_umount
t_fsck
