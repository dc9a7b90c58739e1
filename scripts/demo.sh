#!/bin/bash
# make demo: see msyncfs work on an unmodified stock kernel.
# Usage: demo.sh

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/boot.sh"

verdict() {
	local rc=$?
	echo
	if [ "$rc" -eq 0 ]; then
		echo "demo: msyncfs works"
	else
		echo "demo: FAILED"
	fi
	exit "$rc"
}
trap verdict EXIT

"$SCRIPTS/deps.sh" build tools qemu e2e
v=$("$SCRIPTS/stock-kernel.sh")
eval "$v"
KVER=$STOCK_RELEASE "$SCRIPTS/build-modules.sh"
make -s -C "$TOP" tools

OUT=$BUILD/demo${RUN:+-$RUN}
rm -rf "$OUT"
mkdir -p "$OUT"
boot_prepare "$OUT"

# Part one: the example programs, in scripts/demo-guest.
"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" -a "$SCRIPTS/demo-guest:run.sh"
truncate -s 1G "$OUT/disk.raw"
say "booting the stock kernel $RELEASE in QEMU"
"$SCRIPTS/vm.sh" -v -n "demo guest" -o "$OUT" -k "$VMLINUZ" -i "$INITRD,$OUT/run.cpio" -m "$MEM" \
	-d "$OUT/disk.raw,serial=demo" -a "$CMDLINE" -t 300 -q 60
