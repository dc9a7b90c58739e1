#!/bin/sh
# Test: msync while mappings change, signals come and processes are killed
# Cases: stock_race stock_signal stock_kill ioctl_race ioctl_writers ioctl_signal ioctl_kill ioctl32_race fsck
# Timeout: 200
. /tests/lib.sh
. /tests/msync-doors

m_begin
m_cases msync_race stock race signal kill
m_cases msync_race ioctl race writers signal kill
m_case msync_race ioctl32 race
t_case fsck
m_end
