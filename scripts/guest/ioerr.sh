#!/bin/sh
# Test: temporary and permanent I/O errors lose nothing, are reported truly, and appear in the kernel log
# Cases: log log_good all_good fresh home block tail read map mount unreadable storm fsck
# Timeout: 300
. /tests/lib.sh
. /tests/msync-doors

modprobe dm_flakey || t_info "no dm-flakey"
m_begin
for c in log log_good all_good fresh home block tail read map mount unreadable storm; do
	t_case $c
	m_run ioerr stock $c
	# The kernel log must name each failure that the program saw.
	sed -n 's/^kernel log: //p' /tmp/out >/tmp/said
	while read -r line; do t_log "$line"; done </tmp/said
done
t_case fsck
m_end
