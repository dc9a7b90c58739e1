#!/bin/sh
# Test: while all tasks are frozen for a suspend or a hibernation, nothing is written or flushed
# Cases: timers pages times load
# Timeout: 240
. /tests/lib.sh

# The kernel freezes all tasks and all freezable workqueues, waits and thaws them. In a
# hibernation, the image of the memory would be made and stored in between. It must not
# differ from the device.
[ -e /sys/power/pm_test ] || t_die "the kernel has no /sys/power/pm_test"
tr=/sys/kernel/tracing
mount | grep -q " $tr " || t_run mount -t tracefs none $tr
echo 0 >/sys/power/sync_on_suspend
echo freezer >/sys/power/pm_test
dev=$(tr : , <"/sys/block/$(basename "$(readlink -f "$DISK")")/dev")

# watch EVENT...: begin a new trace, which also has the requests and the freezes
watch() {
	echo 0 >$tr/events/enable
	echo 8192 >$tr/buffer_size_kb
	echo >$tr/trace
	for e in power/suspend_resume block/block_rq_issue "$@"; do
		echo 1 >"$tr/events/$e/enable"
	done
}

vm=/proc/sys/vm
writeback=$(cat $vm/dirty_writeback_centisecs) expire=$(cat $vm/dirty_expire_centisecs)

# flusher INTERVAL AGE: how often the flusher looks for old dirty pages and inodes, and
# how old they are then, in 1/100 s
flusher() {
	echo "$1" >$vm/dirty_writeback_centisecs
	echo "$2" >$vm/dirty_expire_centisecs
}

# freeze SECONDS
freeze() {
	echo "$1" >/sys/module/suspend/parameters/pm_test_delay
	t_run sh -c 'echo freeze >/sys/power/state'
}

# check_frozen FREEZES: fail if the device got a write or a flush while all tasks were
# frozen, or if the trace does not have all freezes
check_frozen() {
	awk -v dev="$dev" '
		/suspend_resume: freeze_processes\[0\] end/ { frozen = 1; n++ }
		/suspend_resume: thaw_processes\[0\] begin/ { frozen = 0; ends++ }
		frozen && match($0, "block_rq_issue: " dev " ") {
			if (substr($0, RSTART + RLENGTH, 1) != "R") print
		}
		END { print n + 0, ends + 0, "freezes" }' $tr/trace >/tmp/frozen
	head -n 20 /tmp/frozen
	t_eq "freezes" "$(tail -n 1 /tmp/frozen)" "$1 $1 freezes"
	t_eq "writes and flushes while all tasks were frozen" $(($(wc -l </tmp/frozen) - 1)) 0
}

# A change of names is committed after 5 s, and a record is brought home 10 s after the
# sync.
t_case timers
t_fresh
mkdir "$MNT/first"
sync
sleep 7
mkdir "$MNT/second"
sleep 2
watch msyncfs/msyncfs_commit msyncfs/msyncfs_checkpoint
freeze 5
sleep 3
check_frozen 1
for e in commit checkpoint; do
	[ "$(grep -c "msyncfs_$e:" $tr/trace)" -gt 0 ] || t_die "no $e after the thaw"
done
t_umount
t_fsck

# The flusher is never frozen. The dirty pages get old while all tasks are frozen. They
# are too many for a record, so the flusher cannot attach them all without a commit.
t_case pages
t_mkfs -l 1M "$DISK"
t_mount
for i in $(seq 40); do dd if=/dev/zero of="$MNT/$i" bs=32k count=1; done
sync
flusher 50 200
dd if=/dev/urandom of=/tmp/data bs=32k count=1
for i in $(seq 40); do dd if=/tmp/data of="$MNT/$i" conv=notrunc; done
dd if=/dev/zero of="$MNT/new" bs=1M count=4
watch
freeze 6
check_frozen 1
sleep 6
t_le "KiB that are dirty some seconds after the thaw" \
	"$(awk '$1 == "Dirty:" { print $2 }' /proc/meminfo)" 100
t_remount
for i in $(seq 40); do t_run cmp /tmp/data "$MNT/$i"; done
t_umount
t_fsck

# The same with changed times of more directories than a record takes.
t_case times
t_mkfs -l 1M "$DISK"
t_mount "$DISK" strictatime
for i in $(seq 200); do mkdir "$MNT/$i"; done
sync
ls "$MNT"/* >/tmp/data
watch msyncfs/msyncfs_commit
freeze 6
check_frozen 1
sleep 6
[ "$(grep -c "msyncfs_commit:" $tr/trace)" -gt 2 ] || t_die "the times were not written after the thaw"
flusher "$writeback" "$expire"
t_umount
t_fsck

# Many threads change everything, and the log is crowded. They go on after each thaw.
t_case load
t_mkfs -l 4M "$DISK"
t_mount
mkdir "$MNT/threads" "$MNT/stress"
: >/tmp/acks
explore threads work "$MNT/threads" /tmp/acks 25 - &
threads=$!
stress "$MNT/stress" 25 4 >/tmp/out &
stress=$!
watch
sleep 2
acks=$(wc -l </tmp/acks)
for i in 1 2 3 4 5; do
	freeze 1
	sleep 2
done
check_frozen 5
t_run wait $threads
t_run wait $stress
[ "$(wc -l </tmp/acks)" -gt "$acks" ] || t_die "no step is done after the first freeze"
t_remount
t_run explore threads check "$MNT/threads" "$(tail -n 1 /tmp/acks)"
t_umount
t_fsck
echo 0 >$tr/events/enable
echo none >/sys/power/pm_test
