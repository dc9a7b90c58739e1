#!/bin/bash
# Run a mixed load for a long time, with little memory, on kernels that watch it.
# Usage: [RUN=NAME] [SOAK_MINUTES=N] soak.sh [debug|kcsan]...
#
# debug  the test kernel, with KASAN, lockdep and kmemleak
# kcsan  a kernel that reports data races; the first run builds it
#
# SOAK_MINUTES (default 120) is the time on each kernel. scripts/soak-guest has the load.

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/boot.sh"
"$SCRIPTS/deps.sh" build qemu e2e soak
minutes=${SOAK_MINUTES:-120}
out=$BUILD/soak${RUN:+-$RUN}
rm -rf "$out"
mkdir -p "$out"
[ $# -gt 0 ] || set -- debug kcsan

# soak KERNEL: run the load, and print the result
soak() {
	local dir=$out/$1 kdir
	mkdir -p "$dir"
	kdir=$("$SCRIPTS/test-kernel.sh" "${1#debug}") || return
	kdir=$(eval "$kdir"; echo "$TEST_KDIR")
	KDIR=$kdir "$SCRIPTS/build-modules.sh" || return
	boot_prepare "$dir" "$1" || return
	echo "MINUTES=$minutes" >"$dir/env"
	"$SCRIPTS/initramfs.sh" -b -o "$dir/run" -p stress-ng -a "$dir/env:soak.env" \
		-a "$SCRIPTS/soak-guest:run.sh" || return
	truncate -s 1G "$dir"/disk{1,2,3}.raw
	say "a mixed load on $RELEASE for $minutes minutes"
	"$SCRIPTS/vm.sh" -v -n "soak $1" -o "$dir" -k "$VMLINUZ" -i "$INITRD,$dir/run" -m "$MEM" \
		-d "$dir/disk1.raw" -d "$dir/disk2.raw" -d "$dir/disk3.raw" -a "$CMDLINE" -t $((minutes * 120 + 1800)) -q 900
}

rc=0
for k; do
	if soak "$k"; then
		echo "ok soak.$k  $(grep '^# round' "$out/$k/channel.log" | tail -n 1 | cut -c 3-)"
	else
		echo "not ok soak.$k  $(grep -hv '^no passing' "$out/$k/problems.log" | head -n 1)"
		rc=1
	fi >>"$out/results"
done
cat "$out/results"
exit $rc
