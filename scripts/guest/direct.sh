#!/bin/sh
# Test: O_DIRECT with mappings, stalled buffers, msync and asynchronous requests
# Cases: self other edges stalled_write stalled_read race aio slow_read
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

# Reads of the disk are slow. So if a bug frees blocks of a file that a read still uses,
# another file has time to get these blocks before the read ends.
t_case slow_read
export DM_DISABLE_UDEV=1
if modprobe dm_delay; then
	sectors=$(cat "/sys/block/$(basename "$DISK")/size")
	t_mkfs "$DISK"
	t_run dmsetup create slow --table "0 $sectors linear $DISK 0"
	t_mount /dev/mapper/slow
	# shellcheck disable=SC2089,SC2090 # the program passes $SLOW to system(3)
	export SLOW="dmsetup suspend --nolockfs slow &&
		dmsetup reload slow --table '0 $sectors delay $DISK 0 8000 $DISK 0 0' &&
		dmsetup resume slow"
	prog direct_busy slow_read
	t_run dmsetup remove slow
	t_fsck
else
	t_info "slow_read: this kernel has no dm-delay"
fi
