#!/bin/sh
# Test: with msyncfs_hook loaded, each flag of msync(2) has its documented effect in unmodified programs
# Cases: load hook_einval hook_empty hook_hole hook_wrap hook_sync hook_record hook_many hook_eof hook_readonly hook_times hook_shutdown hook_private hook_other hook_special
# Cases: hook_drop hook_large hook_home hook_clean hook_locked hook_locked_anon hook_locked_other hook_pinned hook_referenced hook_pinned_crash
# Cases: hook_async hook_zero hook_nowait hook_error hook_umount
# Cases: hook32_einval hook32_empty hook32_hole hook32_wrap hook32_sync hook32_record hook32_many hook32_readonly hook32_times hook32_private hook32_other hook32_special
# Cases: hook32_drop hook32_home hook32_locked hook32_locked_anon hook32_locked_other hook32_zero hook32_nowait hook32_error
# Cases: hook_race hook_signal hook_kill hook32_race hook32_kill
# Cases: unhooked_nothing unhooked_locked fsck
# Cases: hook_bsd_empty hook_bsd_zero hook_bsd_einval hook_bsd_hole hook_bsd_drop hook32_bsd_empty hook32_bsd_zero hook32_bsd_einval bsd_fsck
# Timeout: 500
. /tests/lib.sh
. /tests/msync-doors

t_case load
m_begin
echo 8 >/proc/sys/vm/nr_hugepages || t_info "no hugetlbfs"
m_others
t_hook

m_cases msync hook einval empty hole wrap sync record many eof readonly times \
	shutdown
m_cases msync_other hook private other special
m_cases msync_invalidate hook drop large home clean locked locked_anon \
	locked_other pinned referenced pinned_crash
m_cases msync_async hook async zero nowait error umount
m_cases msync hook32 einval empty hole wrap sync record many readonly times
m_cases msync_other hook32 private other special
m_cases msync_invalidate hook32 drop home locked locked_anon locked_other
m_cases msync_async hook32 zero nowait error
m_cases msync_race hook race signal kill
m_cases msync_race hook32 race kill
echo 0 >/proc/sys/vm/nr_hugepages || :

# After the hook is unloaded, msync(2) must work as on a stock kernel.
t_case unhooked_nothing
t_unhook
m_run msync unhooked nothing
m_case msync_invalidate unhooked locked
t_case fsck
m_end

m_begin msync=bsd
t_hook
m_cases msync hook bsd_empty bsd_zero bsd_einval bsd_hole
m_case msync_invalidate hook bsd_drop
m_cases msync hook32 bsd_empty bsd_zero bsd_einval
t_case bsd_fsck
t_unhook
m_end
