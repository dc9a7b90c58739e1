#!/bin/sh
# Test: O_DIRECT with mappings, stalled buffers, msync and asynchronous requests
# Cases: self other edges stalled_write stalled_read race aio slow_read queued
# Timeout: 300
. /tests/lib.sh

# prog PROGRAM TEST: run the test. If it fails, the last line of its output is the
# reason.
prog() {
	t_rc=0
	"$1" "$MNT" "$2" >/tmp/out 2>&1 || t_rc=$?
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_fail "exit status $t_rc: $(tail -n 1 /tmp/out)"
	grep -v ': ok$' /tmp/out | while read -r line; do t_info "$2: $line"; done
	t_umount
}

# fresh PROGRAM TEST...: run each test on a new filesystem
fresh() {
	p=$1
	shift
	for c; do
		t_case "$c"
		t_fresh
		prog "$p" "$c"
		t_fsck
	done
}

fresh direct self other edges
fresh direct_busy stalled_write stalled_read race
fresh direct aio

# slow PROGRAM CASE MS MS: run the case on a disk that delays reads and writes by so many
# milliseconds, as soon as the program asks for it
slow() {
	t_case "$2"
	sectors=$(cat "/sys/block/$(basename "$DISK")/size")
	t_mkfs "$DISK"
	t_run dmsetup create slow --table "0 $sectors linear $DISK 0"
	t_mount /dev/mapper/slow
	# shellcheck disable=SC2089,SC2090 # the program passes $SLOW to system(3)
	export SLOW="dmsetup suspend --nolockfs slow &&
		dmsetup reload slow --table '0 $sectors delay $DISK 0 $3 $DISK 0 $4' &&
		dmsetup resume slow"
	prog "$1" "$2"
	t_run dmsetup remove slow
	t_fsck
}

export DM_DISABLE_UDEV=1
if modprobe dm_delay; then
	# If a bug frees blocks of a file that a read still uses, another file has time to
	# get these blocks before the read ends.
	slow direct_busy slow_read 8000 0
	slow direct queued 500 500
else
	for c in slow_read queued; do
		t_case $c
		t_info "$c: this kernel has no dm-delay"
	done
fi
