#!/bin/bash
# Build the test kernel for the KUnit suites, unless the cache has it. Print shell
# assignments: TEST_BZIMAGE, TEST_RELEASE, and TEST_KDIR, a tree for building modules.
# Usage: test-kernel.sh

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/kernel-build.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" kernel

config=$SCRIPTS/test-kernel.config
dest=$(kernel_dest test-kernel "$config")

build() {
	[ ! -e "$dest/done" ] || return 0
	kernel_unpack "$dest" "8 minutes" && cd "$dest/src" &&
		kernel_compile "$config" ARCH=x86 bzImage modules || return 1
	cp arch/x86/boot/bzImage "$dest/bzImage"
	kernel_prune x86 || return 1
	: >"$dest/done"
}

with_lock test-kernel build || die "could not build the test kernel; log: $dest/build.log"
printf 'TEST_KDIR=%q\nTEST_BZIMAGE=%q\nTEST_RELEASE=%q\n' \
	"$dest/src" "$dest/bzImage" "$(cat "$dest/src/include/config/kernel.release")"
