#!/bin/bash
# Test: a guest of 512 MiB stores 1 GiB of dirty pages to an atomic file; a kill leaves the old file, a commit the new one
# Cases: first killed committed
# Timeout: 600

. "$SCRIPTS/host/lib.sh"

disk=$(h_disk disk 3G)
# step NAME VM-ARG...: boot a guest for this step; all steps use the same disk
step() {
	t_case "$1"
	echo "STEP=$1" >"$OUT/step.env"
	"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$OUT/step.env:step.env" \
		-a "$SCRIPTS/host/guest/bigatomic-run:run.sh"
	local out=$OUT/$1
	shift
	"$SCRIPTS/vm.sh" -n bigatomic -o "$out" -k "$VMLINUZ" -i "$INITRD,$OUT/run.cpio" \
		-m 512 -d "$disk" -a "$CMDLINE" -t 280 -q 60 "$@" ||
		t_die "$(grep -v '^no passing' "$out/problems.log" | head -n 1)"
	while read -r line; do t_info "$line"; done < <(sed -n 's/^# \(first\|took\): /\1: /p' "$out/channel.log")
}
step first
step killed -K 1	# killed before any msync; the next boot finds the old file
step committed
rm -f "$disk"
