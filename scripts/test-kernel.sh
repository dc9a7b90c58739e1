#!/bin/bash
# Build a test kernel, unless the cache has it. Print shell assignments: TEST_BZIMAGE,
# TEST_RELEASE, and TEST_KDIR, a tree for building modules.
# Usage: test-kernel.sh [kcsan]
#
# Without an argument: the kernel of the KUnit suites, with KASAN and lockdep. kcsan: a
# kernel that reports data races.

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/kernel-build.sh"
config=$SCRIPTS/test-kernel.config name=test-kernel
case ${1:-} in
'') ;;
kcsan)
	name=kcsan-kernel
	# The lines of the second file replace those of the first.
	config=$(mktemp)
	trap 'rm -f "$config"' EXIT
	awk '{ n = $0; sub(/^# /, "", n); sub(/[= ].*/, "", n) }
		FNR == NR { if (n ~ /^CONFIG_/) gone[n] = 1; next }
		!(n in gone)' "$SCRIPTS/kcsan-kernel.config" "$SCRIPTS/test-kernel.config" >"$config"
	cat "$SCRIPTS/kcsan-kernel.config" >>"$config" ;;
*) usage ;;
esac
"$SCRIPTS/deps.sh" kernel
dest=$(kernel_dest $name "$config")

build() {
	[ ! -e "$dest/done" ] || return 0
	kernel_unpack "$dest" "8 minutes" && cd "$dest/src" &&
		kernel_compile "$config" ARCH=x86 bzImage modules || return 1
	cp arch/x86/boot/bzImage "$dest/bzImage"
	kernel_prune x86 || return 1
	: >"$dest/done"
}

with_lock $name build || die "could not build the test kernel; log: $dest/build.log"
printf 'TEST_KDIR=%q\nTEST_BZIMAGE=%q\nTEST_RELEASE=%q\n' \
	"$dest/src" "$dest/bzImage" "$(cat "$dest/src/include/config/kernel.release")"
