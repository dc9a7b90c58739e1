#!/bin/sh
# Test: only msync and fsync change an atomic file on the device; each commits the whole file
# Cases: stock_ioctl stock_ioctl32 stock_flag stock_readonly stock_rollback stock_held stock_commit stock_close stock_others stock_pressure stock_sizes stock_freeze stock_emergency stock_whole stock_dsync stock_vmas stock_direct stock_both stock_unlink stock_rename stock_truncate stock_replace stock_nospace stock_random stock_race
# Cases: ioctl_whole ioctl_vmas ioctl_async ioctl_both fsck
# Cases: option stock_option_close ioctl_option_close cp option_fsck
# Timeout: 500
#
# ATOMIC_SEED, ATOMIC_ROUNDS: seed and number of rounds of the case random, which
# prints its seed
. /tests/lib.sh
. /tests/msync-doors

# The disk is small, because the cases copy the whole disk to see its content.
export SECTORS=$((64 * 2048)) COPY=/dev/mapper/copy
export SEED="${ATOMIC_SEED:-}" ROUNDS="${ATOMIC_ROUNDS:-}"
t_run dmsetup create copy --table "0 $SECTORS linear $DISK2 16384"

# This function replaces m_again of msync-doors. It also unmounts the copy of the disk.
m_again() {
	umount /tmp/copy || :
	echo 20 >/proc/sys/vm/dirty_ratio
	echo 10 >/proc/sys/vm/dirty_background_ratio
	dmsetup resume "$DM" || :
	n=0
	while grep -q " $MNT " /proc/mounts && ! umount "$MNT"; do
		n=$((n + 1))
		[ $n -lt 20 ] || t_die "cannot unmount after a failure"
		sleep 1
	done
	m_fresh
}

m_begin
m_cases atomic stock ioctl ioctl32 flag readonly
m_cases atomic_rollback stock rollback held commit close
m_cases atomic_others stock others pressure sizes freeze emergency
m_cases atomic stock whole dsync vmas direct both unlink rename truncate replace
# Each of these cases gets a new filesystem, because it fills the disk or changes files
# at random.
for c in nospace random race; do
	t_umount
	m_fresh
	m_case atomic_stress stock $c
done
t_umount
m_fresh
m_cases atomic ioctl whole vmas async both
t_case fsck
m_end

t_case option
m_begin atomic
t_run grep -q " $MNT .*atomic" /proc/mounts
! mount -o remount,noatomic "$MNT" || t_die "noatomic by remounting"
t_log "atomic can only be changed by unmounting"
m_case atomic_rollback stock option_close
m_case atomic_rollback ioctl option_close

# These programs do not know that their files are atomic. The last close of each file
# must commit it, so after a crash all files must be complete.
t_case cp
t_run cp /bin/busybox "$MNT/busybox"
mkdir "$MNT/tree"
for i in 1 2 3 4 5; do
	echo "text $i" >"$MNT/tree/$i"
	echo more >>"$MNT/tree/$i"
done
t_run tar -C "$MNT" -cf "$MNT/tree.tar" tree
rm -r "$MNT/tree"
t_run tar -C "$MNT" -xf "$MNT/tree.tar"
sync
t_run tree shutdown "$MNT" 2
t_umount
t_mount "$DEVICE"
t_run cmp /bin/busybox "$MNT/busybox"
for i in 1 2 3 4 5; do t_eq "tree/$i" "$(cat "$MNT/tree/$i")" "text $i
more"; done
# Without the mount option, the files are ordinary files again.
t_umount
t_mount "$DEVICE"
echo again >"$MNT/tree/1"
t_umount
t_mount "$DEVICE"
t_eq "tree/1" "$(cat "$MNT/tree/1")" again
t_case option_fsck
m_end
