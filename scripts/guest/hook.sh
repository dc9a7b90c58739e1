#!/bin/sh
# Test: msyncfs_hook.ko is loaded and unloaded while eight threads call msync
# Cases: storm refused
# Timeout: 300
#
# HOOK_ROUNDS: how often the test loads and unloads the module. The default is 10. If
# the machine would need more than 150 s for 10 rounds, the default is lower, but at
# least 3.
. /tests/lib.sh

rounds=${HOOK_ROUNDS:-10}
enough=$(t_now | awk -v s=$((150 * ${SLOW:-1})) '{ printf "%d", $1 + s }')

t_case storm
modprobe ext4 || t_die "this kernel has no ext4"
t_fresh
t_run mkfs.ext4 -q -F "$DISK2"
mkdir -p /mnt/ext4
t_run mount -t ext4 "$DISK2" /mnt/ext4
rm -f /tmp/stop
hookstorm /tmp/stop "$MNT" /mnt/ext4 >/tmp/out 2>&1 &
storm=$!
n=0 longest=0
while [ $n -lt "$rounds" ]; do
	if [ -z "${HOOK_ROUNDS:-}" ] && [ $n -ge 3 ] && [ "$(t_now | cut -d . -f 1)" -ge "$enough" ]; then
		break
	fi
	n=$((n + 1))
	kill -0 $storm || t_die "round $n: $(tail -n 1 /tmp/out)"
	began=$(t_now)
	t_hook
	t_unhook
	took=$(t_now | awk -v a="$began" '{ printf "%d", ($1 - a) * 10 }')
	[ "$took" -le "$longest" ] || longest=$took
	[ $((n % 10)) -ne 0 ] || t_info "loaded and unloaded $n times"
done
touch /tmp/stop
wait $storm || t_die "$(tail -n 1 /tmp/out)"
t_info "$(cat /tmp/out); $n times loaded and unloaded, at most $((longest / 10)).$((longest % 10)) s each"
t_eq "patches left" "$(ls -A /sys/kernel/livepatch)" ""
t_umount /mnt/ext4
t_umount
t_fsck
t_run fsck.ext4 -fn "$DISK2"

# While the hook is enabled, neither msyncfs.ko nor the hook can be unloaded.
t_case refused
t_hook
t_fails rmmod msyncfs
t_fails rmmod msyncfs_hook
t_unhook
t_run rmmod msyncfs
