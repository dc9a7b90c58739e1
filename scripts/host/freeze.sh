#!/bin/bash
# Test: the longest wait of a store while an msync captures 64 or 16,384 pages is within its bound
# Timeout: 240
#
# Guest time counts instructions (one nanosecond each). So neither the speed of the
# emulation nor other programs on this machine change the figures.

. "$SCRIPTS/host/lib.sh"

"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/host/guest/freeze-run:run.sh" \
	-a "$SCRIPTS/storm-guest:storm.sh"
disk=$(h_disk disk 1G)
VM_ACCEL=tcg,thread=single "$SCRIPTS/vm.sh" -n freeze -o "$OUT/vm" -k "$VMLINUZ" \
	-i "$INITRD,$OUT/run.cpio" -s 1 -m 1024 -d "$disk" -a "$CMDLINE" -t 200 -q 100 \
	-- -icount shift=0,sleep=off -cpu max,-erms,-fsrm ||
	t_die "$(head -n 1 "$OUT/vm/problems.log")"

# Each line is: storm PAGES WAITS LONGEST-WAIT CALLS LONGEST-FREEZE
while read -r _ pages waits longest calls frozen rest; do
	wait=8000000 freeze=8000000
	[ "$pages" -gt 64 ] || wait=250000 freeze=100000
	t_info "msync of $pages pages: $waits stores waited, $((longest / 1000)) us at most (bound $((wait / 1000))); frozen $((frozen / 1000)) us at most (bound $((freeze / 1000))) in $calls captures ($rest)"
	[ "$calls" -gt 0 ] || t_fail "$pages pages: no capture traced"
	[ "$longest" -lt $wait ] || t_fail "$pages pages: a store waited $longest ns, bound $wait"
	[ "$frozen" -lt $freeze ] || t_fail "$pages pages: frozen for $frozen ns, bound $freeze"
done < <(grep '^storm ' "$OUT/vm/channel.log")
t_eq "sizes measured" "$(grep -c '^storm ' "$OUT/vm/channel.log")" 2
