# shellcheck shell=sh
# Every end-to-end test sources this file. The guest tests run in busybox ash. The tests
# on the host (scripts/host) run in bash.
#
# A test is an executable file scripts/guest/NAME.sh:
#
#	#!/bin/sh
#	# Test: one line that says what the test shows
#	# Cases: first second		(optional; default: one case, NAME itself)
#	# Timeout: 120			(optional; seconds, default 120)
#	# Programs: fio			(optional; programs of the host that the guest
#				 needs; deps.sh NAME installs their packages)
#	# Brings: SCRIPT		(optional; scripts/SCRIPT runs on the host and
#	#				 prints further arguments for initramfs.sh)
#	. /tests/lib.sh
#	t_case first
#	t_fresh
#	...
#
# A test needs no registration. If a command fails, the test ends (set -e) and its
# current case has failed. The end of the trace of the test (set -x) goes into the
# report. A case that did not run has failed, too.
#
# There are two blank disks, $DISK and $DISK2 (1 GiB each, sparse, with a volatile
# cache). All tests use these disks, one test after another. /tests/run-tests unmounts
# the filesystems that a test leaves mounted. If an unmount fails, the test has failed.
#
# The guest has all programs of build/tools (mkfs, fsck and tests/* in PATH, examples/*
# in /examples), xfs_io, dmsetup, and busybox.

CHANNEL=${CHANNEL:-/dev/ttyS1}
DISK=${DISK:-/dev/vda}
DISK2=${DISK2:-/dev/vdb}
MNT=${MNT:-/mnt}
T_NAME=${0##*/}
T_NAME=${T_NAME%.sh}
t_current='' t_reason='' t_began=0

# t_now: print the uptime in seconds, with two decimals
t_now() { cut -d ' ' -f 1 /proc/uptime; }

t_send() { printf '%s\n' "$*" >>"$CHANNEL"; }

# t_info TEXT: send TEXT to the reader of the report
t_info() { t_send "# $*"; }

# t_case NAME: end the previous case and begin a case. The previous case has passed
# unless t_fail or t_die was called
t_case() {
	t_end
	t_current=$T_NAME.$1
	t_began=$(t_now)
	echo "== case $1"
	[ ! -w /dev/kmsg ] || [ -n "${T_ON_HOST:-}" ] || echo "msyncfs-test: case $t_current" >/dev/kmsg
}

t_end() {
	[ -n "$t_current" ] || return 0
	if [ -n "$t_reason" ]; then
		t_send "not ok $t_current  $t_reason"
	else
		t_send "ok $t_current  $(t_now | awk -v a="$t_began" '{ printf "%.1f s", $1 - a }')"
	fi
	t_current='' t_reason=''
}

# t_fail REASON: count the case as failed; the test goes on
t_fail() { t_reason="${t_reason:+$t_reason; }$*"; }

# t_die REASON: count the case as failed and end the test
t_die() { t_fail "$@"; exit 1; }

# t_run CMD...: run CMD, which must succeed
t_run() {
	t_rc=0
	"$@" || t_rc=$?
	[ "$t_rc" -eq 0 ] || t_die "exit status $t_rc: $*"
}

# t_fails CMD...: run CMD, which must fail, but not by a signal
t_fails() {
	t_rc=0
	"$@" || t_rc=$?
	[ "$t_rc" -ne 0 ] || t_die "succeeded, but should not: $*"
	[ "$t_rc" -lt 126 ] || t_die "exit status $t_rc: $*"
}

# t_eq WHAT GOT WANT: fail unless GOT is equal to WANT
t_eq() { [ "$2" = "$3" ] || t_die "$1: got '$2', want '$3'"; }

# t_le WHAT GOT LIMIT: fail unless GOT is at most LIMIT
t_le() { [ "$2" -le "$3" ] || t_die "$1: $2, limit $3"; }

t_module() { [ -d /sys/module/msyncfs ] || t_run modprobe msyncfs; }
t_mkfs() { t_run mkfs.msyncfs -f "$@"; }

# t_mount [DEVICE [OPTIONS]]: mount DEVICE (default: $DISK) on $MNT
t_mount() {
	mkdir -p "$MNT"
	t_run mount -t msyncfs ${2:+-o "$2"} "${1:-$DISK}" "$MNT"
}
# shellcheck disable=SC2120 # the argument is optional
t_umount() { t_run umount "${1:-$MNT}"; }
# shellcheck disable=SC2119
t_remount() { t_umount; t_mount "$@"; }	# empties the page cache
t_fsck() { t_run fsck.msyncfs -n "${1:-$DISK}"; }

# t_fresh [OPTIONS]: make a filesystem on $DISK and mount it on $MNT
t_fresh() {
	t_module
	t_mkfs "$DISK"
	t_mount "$DISK" "${1:-}"
}

# t_until TRIES CMD...: run CMD every 0.1 s until it succeeds, but at most TRIES times. Fail
# if it never succeeds
t_until() {
	t_tries=$1
	shift
	until "$@"; do
		t_tries=$((t_tries - 1))
		[ $t_tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# t_lines FILE N: succeed if FILE has at least N lines
t_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

T_KLP=/sys/kernel/livepatch/msyncfs_hook
t_hooked() { [ "$(cat $T_KLP/transition)" = 0 ]; }

# t_hook: load msyncfs_hook; from now on msync(2) has its full semantics
t_hook() {
	t_run modprobe msyncfs_hook
	t_until 600 t_hooked || t_die "the transition of msyncfs_hook does not end"
}

# t_unhook: unload msyncfs_hook; from now on msync(2) runs the kernel's own code
t_unhook() {
	echo 0 >$T_KLP/enabled
	t_until 600 [ ! -d $T_KLP ] || t_die "msyncfs_hook does not go"
	t_run rmmod msyncfs_hook
}

# t_log TEXT: fail unless the kernel log since the start of this case contains TEXT
t_log() {
	dmesg | awk -v c="msyncfs-test: case $t_current" \
		'index($0, c) { buf = "" } { buf = buf $0 "\n" } END { printf "%s", buf }' |
		grep -F -- "$1" >/dev/null || t_die "not in the kernel log: $1"
}

# t_io [DEVICE]: print "writes KiB flushes" since boot. The kernel also counts a flush
# as a write. So this function subtracts the flushes from the writes.
t_io() {
	awk '{ print $5 - $16, $7 / 2, $16 }' "/sys/block/$(basename "$(readlink -f "${1:-$DISK}")")/stat"
}

t_exit() {
	t_status=$?
	set +x
	if [ -n "$t_current" ] && [ "$t_status" -ne 0 ] && [ -z "$t_reason" ]; then
		t_reason="exit status $t_status"
	fi
	t_end
}
trap t_exit EXIT

set -eu
# A test without a line "# Cases:" is a single case.
if ! grep -q '^# Cases:' "$0"; then
	t_current=$T_NAME
	t_began=$(t_now)
fi
[ -n "${T_ON_HOST:-}" ] || set -x
