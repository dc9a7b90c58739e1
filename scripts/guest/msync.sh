#!/bin/sh
# Test: by ioctl each flag of msync has its documented effect; without the hook, msync(2) works as on a stock kernel
# Cases: stock_einval stock_empty stock_hole stock_wrap stock_sync stock_record stock_many stock_eof stock_readonly stock_times stock_shutdown stock_private stock_other stock_special
# Cases: stock_nothing stock_locked stock_locked_anon stock_home stock_error
# Cases: stock32_einval stock32_hole stock32_sync stock32_nothing stock32_locked
# Cases: ioctl_einval ioctl_empty ioctl_hole ioctl_wrap ioctl_sync ioctl_record ioctl_many ioctl_eof ioctl_readonly ioctl_times ioctl_shutdown ioctl_private ioctl_other ioctl_special ioctl_ioctl
# Cases: ioctl_drop ioctl_large ioctl_home ioctl_clean ioctl_locked ioctl_locked_anon ioctl_locked_other ioctl_pinned ioctl_referenced ioctl_pinned_crash
# Cases: ioctl_async ioctl_zero ioctl_nowait ioctl_error ioctl_umount ioctl_slow
# Cases: ioctl32_ioctl ioctl32_hole ioctl32_sync ioctl32_drop fsck
# Cases: option ioctl_bsd_empty ioctl_bsd_zero ioctl_bsd_einval ioctl_bsd_hole ioctl_bsd_drop bsd_fsck
# Timeout: 400
. /tests/lib.sh
. /tests/msync-doors

all='einval empty hole wrap sync readers record many eof readonly times shutdown'

m_begin
echo 8 >/proc/sys/vm/nr_hugepages || t_info "no hugetlbfs"
m_others

# shellcheck disable=SC2086 # words wanted
m_cases msync stock $all nothing
m_cases msync_other stock private other special
m_cases msync_invalidate stock locked locked_anon home
m_cases msync_async stock error
m_cases msync stock32 einval hole sync nothing
m_cases msync_invalidate stock32 locked

# shellcheck disable=SC2086
m_cases msync ioctl $all ioctl
m_cases msync_other ioctl private other special
m_cases msync_invalidate ioctl drop large home clean locked locked_anon \
	locked_other pinned referenced pinned_crash
m_cases msync_async ioctl async zero nowait error umount
m_slow ioctl
m_cases msync ioctl32 ioctl hole sync
m_cases msync_invalidate ioctl32 drop
echo 0 >/proc/sys/vm/nr_hugepages || :
t_case fsck
m_end

# A mount option selects what a length of 0 means, and what flags of 0 mean.
t_case option
m_begin
t_fails grep -q " $MNT .*msync=" /proc/mounts	# /proc/mounts does not show the default
t_umount
t_mount "$DEVICE" msync=posix
t_fails grep -q " $MNT .*msync=" /proc/mounts
t_umount
t_mount "$DEVICE" msync=bsd
t_run grep -q " $MNT .*msync=bsd" /proc/mounts
t_umount
! mount -t msyncfs -o msync=cheese "$DEVICE" "$MNT" || t_die "mounted with msync=cheese"
t_log "Bad value for 'msync'"

m_begin msync=bsd
m_cases msync ioctl bsd_empty bsd_zero bsd_einval bsd_hole
m_case msync_invalidate ioctl bsd_drop
t_case bsd_fsck
m_end
