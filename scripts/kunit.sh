#!/bin/bash
# Run the KUnit suites on the test kernel in QEMU.
# Usage: [RUN=NAME] kunit.sh [FILTER]
#
# FILTER is the value of KUnit's filter_glob: SUITE or SUITE.CASE, with wildcards.

. "$(dirname "$0")/common.sh"
filter=${1:-}

"$SCRIPTS/deps.sh" qemu
eval "$("$SCRIPTS/test-kernel.sh")"
OUT=$BUILD/kunit${RUN:+-$RUN}
rm -rf "$OUT"
mkdir -p "$OUT"

for ko in msyncfs msyncfs_kunit; do
	[ -e "$BUILD/$TEST_RELEASE/$ko.ko" ] ||
		die "build/$TEST_RELEASE/$ko.ko is missing: make modules KDIR=$TEST_KDIR"
done

# declared: print a line for each suite that the sources declare: the suite and the
# cases in its file
declared() {
	awk '
	FNR == 1 { on = 0; cases = "" }
	match($0, /KUNIT_CASE[A-Z_]*\([a-z0-9_]+/) {
		s = substr($0, RSTART, RLENGTH); sub(/.*\(/, "", s); cases = cases " " s }
	/struct kunit_suite .*= *\{/ { on = 1 }
	on && match($0, /\.name[ \t]*= *"[^"]*"/) {
		s = substr($0, RSTART, RLENGTH); gsub(/.*= *"|"/, "", s); print s cases; on = 0 }
	' "$TOP"/kunit/*.c | sort -u
}

# chosen SUITE CASE...: succeed if the filter matches the suite or one of its cases
chosen() {
	local suite=$1 c
	shift
	# shellcheck disable=SC2053 # the filter is a pattern
	[[ $suite == ${filter%%.*} ]] || return 1
	[[ $filter == *.* ]] || return 0
	# shellcheck disable=SC2053
	for c; do [[ $c != ${filter#*.} ]] || return 0; done
	return 1
}

# The report must have a result of every suite that matches the filter.
suites=()
while read -r -a s; do
	if [ -z "$filter" ] || chosen "${s[@]}"; then suites+=("${s[0]}"); fi
done < <(declared)
[ ${#suites[@]} -gt 0 ] || die "kunit/*.c declares no suite ${filter:+like $filter}"

# The option -K is not necessary, because all modules that these modules need are built
# into the kernel.
"$SCRIPTS/initramfs.sh" -o "$OUT/initramfs" -R "$TEST_RELEASE" \
	-M "$BUILD/$TEST_RELEASE/msyncfs.ko" -M "$BUILD/$TEST_RELEASE/msyncfs_kunit.ko" \
	-a "$SCRIPTS/kunit-guest:run.sh"

say "booting the test kernel: ${#suites[@]} KUnit suites"
rc=0
"$SCRIPTS/vm.sh" -n "KUnit guest" -o "$OUT" -k "$TEST_BZIMAGE" -i "$OUT/initramfs" -m 3072 \
	-t 1800 -q 300 -a "kunit.enable=1 guest.kmemleak=1 ${filter:+kunit.filter_glob=$filter}" || rc=1

python3 "$SCRIPTS/kunit-report.py" "$TEST_KDIR" "$OUT/channel.log" "${suites[@]}" >"$OUT/results"
for t in module.{load,kunit_load,kunit_unload,unload,no_slab_left,no_sysfs_left} kmemleak; do
	grep -E "^(not )?ok $t( |\$)" "$OUT/channel.log" || echo "not ok $t  did not run"
done >>"$OUT/results"
if trouble=$("$SCRIPTS/kernel-trouble.sh" "$OUT/console.log" "$OUT/excused.log" | head -n 1); then
	echo "ok kernel.log"
else
	echo "not ok kernel.log  $trouble"
fi >>"$OUT/results"
if [ "$rc" -ne 0 ] && ! grep -q '^not ok' "$OUT/results"; then
	echo "not ok kunit.guest  $(head -n 1 "$OUT/problems.log")" >>"$OUT/results"
fi
"$SCRIPTS/summary.sh" -f -t "KUnit, ${#suites[@]} suites" "$OUT/results"
