#!/bin/sh
# Test: msync while mappings change, signals come and processes are killed
# Cases: stock_race stock_signal stock_kill ioctl_race ioctl_signal ioctl_kill hook_race hook_signal hook_kill hook32_race hook32_kill unload fsck
# Timeout: 300
. /tests/lib.sh
. /tests/msync-doors

m_begin
m_cases msync_race stock race signal kill
m_cases msync_race ioctl race signal kill
m_hook
m_cases msync_race hook race signal kill
m_cases msync_race hook32 race kill

# While there are processes in the middle of it, the hook comes and goes.
t_case unload
m_unhook
if [ -z "$no_hook" ] && modprobe -n msyncfs_hook 2>/dev/null; then
	stress "$MNT" 20 4 >/tmp/out 2>&1 &
	for i in 1 2 3; do
		m_hook
		sleep 1
		m_unhook
		t_info "loaded and unloaded under load: $i"
	done
	wait $! || t_fail "stress: exit status $?: $(tail -n 1 /tmp/out)"
else
	t_fail "no msyncfs_hook"
fi

t_case fsck
m_end
