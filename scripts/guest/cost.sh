#!/bin/sh
# Test: what one msync writes and flushes stays within the bounds promised
# Cases: single atomic many group group_atomic
# Timeout: 300
#
# COST_CALLS (default 2000): calls of the case many.
. /tests/lib.sh

pause() { for f in /sys/fs/msyncfs/*/checkpoint_pause; do echo "$1" >"$f"; done; }

# row NAME CALLS WRITES KIB FLUSHES BOUND
row() { t_info "$(printf '%-28s %5s %6s %6s %7s   %s' "$@")"; }

# single KIND: the cases of one call, with a file that is ordinary or atomic
single() {
	t_fresh
	t_run cost prepare "$MNT/file"
	[ "$1" = ordinary ] || t_run cost atomic "$MNT/file"
	t_remount		# nothing is left to be checkpointed
	pause 1
	rc=0
	cost single "$MNT/file" >"/tmp/$1" || rc=$?
	row "largest of all calls" calls writes KiB flushes bound
	grep -v ^over: "/tmp/$1" >/tmp/rows
	while IFS='|' read -r name calls w k f bound; do
		row "$name" "$calls" "$w" "$k" "$f" "$bound"
	done </tmp/rows
	sed -n 's/^over: //p' "/tmp/$1" >/tmp/over
	while read -r line; do t_fail "$line"; done </tmp/over
	[ $rc -eq 0 ] || [ -s /tmp/over ] || t_fail "cost: exit status $rc"
	pause 0
}

t_case single
single ordinary
t_umount

# An atomic file costs the same, to the write.
t_case atomic
single atomic
t_umount
while IFS= read -r line; do
	case $line in over:*) continue ;; esac
	grep -qxF "$line" /tmp/atomic || t_fail "ordinary file: $line; atomic: $(grep -F "${line%%|*}|" /tmp/atomic)"
done </tmp/ordinary
t_fsck

# Everything that the disk saw between two mounts, the mount and the unmount
# (which brings the last image home) included.
t_case many
t_fresh
t_run cost prepare "$MNT/file"
t_umount
calls=0 dirty=0 want=${COST_CALLS:-2000}
before=$(t_io)
t_mount
while [ $calls -lt "$want" ]; do
	n=$(cost many "$MNT/file" 1000) || t_die "cost many: exit status $?"
	calls=$((calls + 1000)) dirty=$((dirty + n))
	t_info "$calls calls of 64 scattered pages done"
done
t_umount
after=$(t_io)
# shellcheck disable=SC2086 # words wanted
set -- $before $after
written=$(awk -v a="$2" -v b="$5" 'BEGIN { printf "%d", b - a + 0.5 }')
t_info "$calls calls of 64 scattered pages: $(awk -v d="$dirty" -v k="$written" -v w=$(($4 - $1)) -v f=$(($6 - $3)) \
	'BEGIN { printf "%d KiB dirty, %d KiB written (%.3f x, bound 2.1), %d writes, %d flushes", d, k, k / d, w, f }')"
t_le "KiB written for $dirty KiB dirty" "$written" $((dirty * 21 / 10))
t_fsck

# group OPTIONS: threads that call msync at the same time, on a disk whose flush
# takes a millisecond, share flushes. The disk has no FUA: a FUA write would be
# counted as a flush.
group() {
	t_mkfs /dev/mapper/slow
	t_mount /dev/mapper/slow "$1"
	pause 1
	t_eq "FUA of the disk" "$(cat "/sys/block/${DISK##*/}/queue/fua")" 0
	for threads in 1 8; do
		mkdir "$MNT/$threads"
		set -- "$(cost group "$MNT/$threads" "${DISK##*/}" $threads 500)"
		# shellcheck disable=SC2086 # words wanted
		set -- $1
		[ $# -eq 3 ] || t_die "cost group: failed"
		bound=$(($1 * 3 / 10))
		[ $threads -gt 1 ] || bound=$1
		t_info "$(awk -v t=$threads -v n="$1" -v f="$2" -v us="$3" -v b=$bound 'BEGIN {
			printf "%d threads, one page each: %d calls, %d flushes, %.3f a call (bound %.1f), %d us a call", t, n, f, f / n, b / n, us }')"
		t_le "flushes of $1 calls by $threads threads" "$2" $bound
		# Or the disk was not what it is meant to be.
		[ $threads -gt 1 ] || t_eq "flushes of $1 calls by one thread" "$2" "$1"
		[ "$3" -ge 1000 ] || t_fail "a call took $3 us: the flush is too quick"
	done
	pause 0
	t_umount
	t_fsck /dev/mapper/slow
}

slow=''
export DM_DISABLE_UDEV=1
if modprobe dm_delay; then
	slow=1
	t_run dmsetup create slow --table "0 $((512 * 2048)) delay $DISK 0 0 $DISK 0 0 $DISK 0 1"
fi
for c in group group_atomic; do
	t_case $c
	if [ -z "$slow" ]; then
		t_info "$c: no dm-delay in this kernel: nothing was slow"
	elif [ $c = group ]; then
		group ''
	else
		group atomic
	fi
done
