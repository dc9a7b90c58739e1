#!/bin/sh
# Test: what each flag of msync promises, through each way to call it
# Cases: stock_einval stock_empty stock_hole stock_wrap stock_sync stock_record stock_private stock_special stock_times stock_other stock_shutdown
# Cases: stock_nothing stock_locked stock_locked_anon stock_home stock_error
# Cases: stock32_einval stock32_hole stock32_sync stock32_nothing stock32_locked
# Cases: ioctl_einval ioctl_empty ioctl_hole ioctl_wrap ioctl_sync ioctl_record ioctl_private ioctl_special ioctl_times ioctl_other ioctl_shutdown
# Cases: ioctl_ioctl ioctl_drop ioctl_large ioctl_home ioctl_clean ioctl_locked ioctl_locked_anon ioctl_locked_other ioctl_pinned ioctl_pinned_crash
# Cases: ioctl_async ioctl_zero ioctl_nowait ioctl_error ioctl_slow
# Cases: ioctl32_ioctl ioctl32_hole ioctl32_sync ioctl32_drop
# Cases: hook_load hook_einval hook_empty hook_hole hook_wrap hook_sync hook_record hook_private hook_special hook_times hook_other hook_shutdown
# Cases: hook_drop hook_large hook_home hook_clean hook_locked hook_locked_anon hook_locked_other hook_pinned hook_pinned_crash
# Cases: hook_async hook_zero hook_nowait hook_error
# Cases: hook32_einval hook32_empty hook32_hole hook32_wrap hook32_sync hook32_record hook32_private hook32_special hook32_times
# Cases: hook32_drop hook32_home hook32_locked hook32_locked_other hook32_zero hook32_nowait hook32_error
# Cases: unhooked_nothing unhooked_locked fsck
# Timeout: 500
. /tests/lib.sh
. /tests/msync-doors

all='einval empty hole wrap sync record private special times other shutdown'

m_begin
echo 8 >/proc/sys/vm/nr_hugepages || t_info "no hugetlbfs"
m_others

# shellcheck disable=SC2086 # words wanted
m_cases msync stock $all nothing
m_cases msync_invalidate stock locked locked_anon home
m_cases msync_async stock error
m_cases msync stock32 einval hole sync nothing
m_cases msync_invalidate stock32 locked

# shellcheck disable=SC2086
m_cases msync ioctl $all ioctl
m_cases msync_invalidate ioctl drop large home clean locked locked_anon \
	locked_other pinned pinned_crash
m_cases msync_async ioctl async zero nowait error
if modprobe dm_delay; then
	m_case msync_async ioctl slow
else
	t_case ioctl_slow
	t_info "no dm-delay in this kernel: nothing was slow"
fi
m_cases msync ioctl32 ioctl hole sync
m_cases msync_invalidate ioctl32 drop

t_case hook_load
t_hook
# shellcheck disable=SC2086
m_cases msync hook $all
m_cases msync_invalidate hook drop large home clean locked locked_anon \
	locked_other pinned pinned_crash
m_cases msync_async hook async zero nowait error
m_cases msync hook32 einval empty hole wrap sync record private special times
m_cases msync_invalidate hook32 drop home locked locked_other
m_cases msync_async hook32 zero nowait error

# And it is as it was before.
t_case unhooked_nothing
t_unhook
m_run msync unhooked nothing
m_case msync_invalidate unhooked locked

t_case fsck
m_end
echo 0 >/proc/sys/vm/nr_hugepages || :
