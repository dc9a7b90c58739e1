#!/bin/bash
# Test: every acknowledged record survives SIGKILL of the machine; mount and fsck find no damage
# Timeout: 600
#
# CRASH_ROUNDS (default 10): number of kills, all on one disk.

. "$SCRIPTS/host/lib.sh"
rounds=${CRASH_ROUNDS:-10}

disk=$(h_disk disk 256M)
rc=0
"$SCRIPTS/crash.sh" -o "$OUT/vm" -n "$rounds" -r "$SCRIPTS/host/guest/crash-run" -d "$disk" \
	-a 400 -l "$OUT/rounds" || rc=$?
if [ $rc -ne 0 ]; then
	t_die "after $(wc -l <"$OUT/rounds") of $rounds kills: $(sed -n 's/^not ok [^ ]*  //p' "$OUT/vm/problems.log" | head -n 1)"
fi
t_info "$rounds kills at random moments; steps of each thread found after the last: $(sed -n '$s/.*found \(.*\); promised.*/\1/p' "$OUT/rounds")"
