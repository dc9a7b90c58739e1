#!/bin/bash
# Test: after one msync of 1 GiB of dirty pages every byte is there after a remount
# Timeout: 300

. "$SCRIPTS/host/lib.sh"

"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/host/guest/big-run:run.sh"
disk=$(h_disk disk 3G)
"$SCRIPTS/vm.sh" -n big -o "$OUT/vm" -k "$VMLINUZ" -i "$INITRD,$OUT/run.cpio" \
	-m 2560 -d "$disk" -a "$CMDLINE" -t 280 -q 120 ||
	t_die "$(grep -v '^no passing' "$OUT/vm/problems.log" | head -n 1)"
while read -r line; do t_info "${line#\# }"; done < <(grep -E '^# (new|overwritten)' "$OUT/vm/channel.log")
rm -f "$disk"
