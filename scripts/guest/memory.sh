#!/bin/sh
# Test: the copies of the log are charged to the cgroup that calls msync, need no more memory than the log, and are given back
# Cases: charged bounded shrink limited
# Timeout: 300
. /tests/lib.sh

CG=/tmp/cgroup
LOG_KIB=16384

# in_group GROUP CMD...: run CMD in a cgroup; its exit status counts
in_group() {
	t_group=$1
	shift
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CG/$t_group" "$@"
}

# kib_of GROUP FILE: print a memory counter of a cgroup in KiB
kib_of() { echo $(($(cat "$CG/$1/$2") / 1024)); }

# The file's pages are in the page cache before the group exists, so the group pays only
# for the copies.
t_case charged
t_module
t_mkfs -l ${LOG_KIB}K "$DISK"
t_mount
t_run cost prepare "$MNT/file"
sync
mkdir -p $CG
t_run mount -t cgroup2 none $CG
echo +memory >$CG/cgroup.subtree_control
mkdir $CG/writer
t_run in_group writer cost many "$MNT/file" 1
before=$(kib_of writer memory.current)
t_run in_group writer cost many "$MNT/file" 30	# 1,920 pages, half of the log
after=$(kib_of writer memory.current)
t_info "30 calls of 64 pages: the group has $((after - before)) KiB more"
t_le "KiB that are missing" $((30 * 64 * 4 * 8 / 10)) $((after - before))

t_case bounded
t_run in_group writer cost many "$MNT/file" 1500	# 24 times the log
peak=$(kib_of writer memory.peak)
t_info "1500 calls: at most $peak KiB, the log has $LOG_KIB KiB"
# The processes of the group need less than 1 MiB.
t_le "KiB of the group" "$peak" $((LOG_KIB + 1024))

# Dropping the caches calls the shrinkers. A shrinker starts a step of a checkpoint, and
# does not wait for it.
t_case shrink
t_run in_group writer cost many "$MNT/file" 30
t_n=0
before=$(kib_of writer memory.current)
while [ "$(kib_of writer memory.current)" -gt $((LOG_KIB / 16)) ]; do
	t_n=$((t_n + 1))
	[ $t_n -lt 60 ] || t_die "the group still has $(kib_of writer memory.current) KiB of $before"
	echo 2 >/proc/sys/vm/drop_caches
	sleep 0.05
done
t_info "$before KiB before, $(kib_of writer memory.current) KiB after $t_n calls of the shrinkers"
[ "$before" -gt $((LOG_KIB / 4)) ] || t_fail "only $before KiB before"

# A group that may have less memory than the log still makes progress.
t_case limited
mkdir $CG/small
t_run in_group small cost many "$MNT/file" 1
echo $(($(cat $CG/small/memory.current) + 4096 * 1024)) >$CG/small/memory.max
t_run in_group small cost many "$MNT/file" 300
t_info "with a limit of $(kib_of small memory.max) KiB: at most $(kib_of small memory.peak) KiB"
t_eq "processes killed for memory" "$(awk '$1 == "oom_kill" { print $2 }' $CG/small/memory.events)" 0
t_umount
t_run umount $CG
t_fsck
