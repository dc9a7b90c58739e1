#!/bin/bash
# Test: from states that a power failure could leave, recovery restores all acknowledged data, and fsck finds no damage
# Timeout: 1800
#
# CRASH_STATES (default 500), CRASH_SEED (default: random); see crash-explorer.sh.

. "$SCRIPTS/host/lib.sh"

rc=0
"$SCRIPTS/crash-explorer.sh" -o "$OUT" -j 1 -n "${CRASH_STATES:-500}" -f "$OUT/result" || rc=$?
[ $rc -eq 0 ] || t_die "$(cat "$OUT/result" 2>/dev/null || tail -n 1 "$OUT/log")"
t_info "$(cat "$OUT/result")"
rm -f "$OUT"/{record,recoveries,dm.record}
