#!/bin/sh
# Test: while the kernel freezes all tasks for a suspend or a hibernation, nothing is committed and nothing is brought home
# Timeout: 120
. /tests/lib.sh

tr=/sys/kernel/tracing
[ -e /sys/power/pm_test ] || t_die "the kernel has no /sys/power/pm_test"
mount | grep -q " $tr " || t_run mount -t tracefs none $tr
echo freezer >/sys/power/pm_test	# freeze, wait five seconds, thaw

# events: print the number of commits and checkpoints in the first four seconds after the
# mark in the trace. The tasks are frozen for five seconds.
events() {
	sed -n 's/.* \([0-9.]*\): \(.*\)/\1 \2/p' $tr/trace | awk '
		/suspend begins/ { t = $1 }
		t && $1 < t + 4 && (/msyncfs_commit:/ || /msyncfs_checkpoint:/) { n++ }
		END { print n + 0 }'
}

t_fresh
echo 1 >$tr/events/msyncfs/msyncfs_commit/enable
echo 1 >$tr/events/msyncfs/msyncfs_checkpoint/enable
# The record is brought home 10 s after the sync, and a change of names is committed
# after 5 s.
mkdir "$MNT/first"
sync
sleep 7
echo 0 >/sys/power/sync_on_suspend
mkdir "$MNT/second"
sleep 2
echo "suspend begins" >$tr/trace_marker
t_run sh -c 'echo freeze >/sys/power/state'
t_eq "commits and checkpoints while all tasks were frozen" "$(events)" 0
sleep 3
for e in commit checkpoint; do
	[ "$(grep -c "msyncfs_$e:" $tr/trace)" -gt 0 ] || t_die "no $e after the thaw"
done
echo 0 >$tr/events/enable
echo none >/sys/power/pm_test
t_umount
t_fsck
