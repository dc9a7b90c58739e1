#!/bin/bash
# Build a test kernel, unless the cache has it. Print shell assignments: TEST_BZIMAGE,
# TEST_RELEASE, and TEST_KDIR, a tree for building modules.
# Usage: [K=SERIES] test-kernel.sh [kcsan]
#
# Without an argument: the kernel of the KUnit suites, with KASAN and lockdep. kcsan: a
# kernel that reports data races.
#
# The lines of test-kernel-SERIES.config and of kcsan-kernel.config replace those of
# test-kernel.config.

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/kernel-build.sh"
name=test-kernel changes=()
[ ! -e "$SCRIPTS/test-kernel-$K.config" ] || changes+=("$SCRIPTS/test-kernel-$K.config")
case ${1:-} in
'') ;;
kcsan) name=kcsan-kernel changes+=("$SCRIPTS/kcsan-kernel.config") ;;
*) usage ;;
esac
config=$(mkdir -p "$CACHE" && mktemp -d "$CACHE/config.XXXXXX")/config
trap 'rm -rf "${config%/*}"' EXIT
cp "$SCRIPTS/test-kernel.config" "$config"
for f in "${changes[@]}"; do
	awk '{ n = $0; sub(/^# /, "", n); sub(/[= ].*/, "", n) }
		FNR == NR { if (n ~ /^CONFIG_/) gone[n] = 1; next }
		!(n in gone)' "$f" "$config" >"$config.new"
	cat "$config.new" "$f" >"$config"
done
kernel_series "$K"
dest=$(kernel_dest $name "$config")

build() {
	[ ! -e "$dest/done" ] || return 0
	kernel_unpack "$dest" "8 minutes" && cd "$dest/src" &&
		kernel_compile "$config" ARCH=x86 bzImage modules || return 1
	cp arch/x86/boot/bzImage "$dest/bzImage"
	kernel_prune x86 || return 1
	: >"$dest/done"
}

with_lock "${dest##*/}" build || die "could not build the test kernel; log: $dest/build.log"
printf 'TEST_KDIR=%q\nTEST_BZIMAGE=%q\nTEST_RELEASE=%q\n' \
	"$dest/src" "$dest/bzImage" "$(cat "$dest/src/include/config/kernel.release")"
