#!/bin/sh
# Test: the writes and flushes of one msync stay within their bounds
# Cases: single atomic many
# Timeout: 240
#
# COST_CALLS (default 2000): number of calls in the case "many".
. /tests/lib.sh

pause() { for f in /sys/fs/msyncfs/*/checkpoint_pause; do echo "$1" >"$f"; done; }

# row NAME CALLS WRITES KIB FLUSHES BOUND: print one row of the table
row() { t_info "$(printf '%-28s %5s %6s %6s %7s   %s' "$@")"; }

# single KIND: measure single calls on a file; KIND is ordinary or atomic
single() {
	t_fresh
	t_run cost prepare "$MNT/file"
	[ "$1" = ordinary ] || t_run cost atomic "$MNT/file"
	t_remount		# empties the log, so that no checkpoint runs
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

# An msync must cost the same for an atomic file as for an ordinary file. The disk's
# queue decides how many writes a large record needs, so the test does not compare the
# number of writes.
t_case atomic
single atomic
t_umount
sed -i 's/^\(512 scattered|[0-9]*\)|[0-9]*|/\1||/' /tmp/ordinary /tmp/atomic
while IFS= read -r line; do
	case $line in over:*) continue ;; esac
	grep -qxF "$line" /tmp/atomic || t_fail "ordinary file: $line; atomic: $(grep -F "${line%%|*}|" /tmp/atomic)"
done </tmp/ordinary
t_fsck

# Count all disk commands of the mount, the calls and the unmount. The unmount writes
# the last images home.
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
