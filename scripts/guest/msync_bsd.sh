#!/bin/sh
# Test: with msync=bsd a length of 0 is the whole mapping, and flags of 0 are MS_SYNC
# Cases: option ioctl_bsd_empty ioctl_bsd_zero ioctl_bsd_einval ioctl_sync ioctl_drop hook_bsd_empty hook_bsd_zero hook_bsd_einval hook_sync hook_drop hook32_bsd_empty hook32_bsd_zero hook32_bsd_einval fsck
. /tests/lib.sh
. /tests/msync-doors

t_case option
t_fresh
t_fails grep -q " $MNT .*msync=" /proc/mounts	# the default is not shown
t_umount
t_mount "$DISK" msync=posix
t_umount
t_mount "$DISK" msync=bsd
t_run grep -q " $MNT .*msync=bsd" /proc/mounts
t_umount
! mount -t msyncfs -o msync=cheese "$DISK" "$MNT" || t_die "mounted with msync=cheese"
t_log "Bad value for 'msync'"

m_begin msync=bsd
for c in ioctl hook hook32; do
	[ $c != hook ] || t_hook
	m_cases msync $c bsd_empty bsd_zero bsd_einval
	[ $c != hook32 ] || break
	m_case msync $c sync
	m_case msync_invalidate $c drop
done
t_unhook

t_case fsck
m_end
