#!/bin/sh
# Test: msync while mappings change, signals come and processes are killed
# Cases: stock_race stock_signal stock_kill ioctl_race ioctl_signal ioctl_kill hook_race hook_signal hook_kill hook32_race hook32_kill unload fsck
# Timeout: 300
. /tests/lib.sh
. /tests/msync-doors

m_begin
m_cases msync_race stock race signal kill
m_cases msync_race ioctl race signal kill
t_hook
m_cases msync_race hook race signal kill
m_cases msync_race hook32 race kill

t_case unload
t_unhook

t_case fsck
m_end
