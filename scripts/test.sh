#!/bin/bash
# make test, make soak: everything, and as the last line the count.
# Usage: [RUN=NAME] test.sh [-s] [kunit|fsck|TEST...]
#
# -s  soak: the counts that the filesystem is judged by, where a plain run has
#     fewer to be quick; without names only the tests that have such a count

. "$(dirname "$0")/common.sh"
if [ "${1:-}" = -s ]; then
	shift
	[ $# -gt 0 ] || set -- cost crash hook
	export HOOK_ROUNDS=${HOOK_ROUNDS:-200} COST_CALLS=${COST_CALLS:-10000} CRASH_ROUNDS=${CRASH_ROUNDS:-50} \
		PATIENCE=${PATIENCE:-5}
fi
kunit=1 fsck=1 e2e=1
if [ $# -gt 0 ]; then
	kunit='' fsck='' e2e='' only=()
	for t; do
		case $t in
		kunit) kunit=1 ;;
		fsck) fsck=1 ;;
		*) e2e=1 only+=("$t") ;;
		esac
	done
	set -- "${only[@]}"
fi

results=()
finish() {
	local rc=0
	echo
	"$SCRIPTS/summary.sh" -f "${results[@]}" || rc=1
	exit $rc
}

# A step that breaks is a failed test, and the end.
step() {
	local name=$1
	shift
	"$@" || {
		mkdir -p "$BUILD"
		echo "not ok $name  ${*#"$SCRIPTS/"}" >"$BUILD/failed-step${RUN:+-$RUN}"
		results+=("$BUILD/failed-step${RUN:+-$RUN}")
		finish
	}
}

kernels() {
	local v
	v=$("$SCRIPTS/stock-kernel.sh") && eval "$v" && v=$("$SCRIPTS/test-kernel.sh") && eval "$v"
}

export MAKEFLAGS=
step build.packages "$SCRIPTS/deps.sh" build tools qemu kernel e2e conformance
step build.kernels kernels
# Set by eval in kernels().
step build.modules_stock env KVER="${STOCK_RELEASE:?}" KDIR= "$SCRIPTS/build-modules.sh"
step build.modules_test env KVER= KDIR="${TEST_KDIR:?}" "$SCRIPTS/build-modules.sh"
step build.tools make -s -C "$TOP" tools

# report NAME FILE: the results in FILE count; none at all is a failure.
report() {
	[ -s "$2" ] || { mkdir -p "${2%/*}"; echo "not ok $1  no results" >"$2"; }
	results+=("$2")
}

suffix=${RUN:+-$RUN}
rm -f "$BUILD/kunit$suffix/results" "$BUILD/e2e$suffix/results" "$BUILD/fsck$suffix/results"
if [ -n "$fsck" ]; then
	say "fsck on damaged images"
	mkdir -p "$BUILD/fsck$suffix"
	"$TOP/tools/fsck-selftest.sh" -v >"$BUILD/fsck$suffix/log" 2>&1 || true
	tail -n 1 "$BUILD/fsck$suffix/log" >&2
	sed -nE 's/^((not )?ok )/\1fsck./p' "$BUILD/fsck$suffix/log" >"$BUILD/fsck$suffix/results"
	grep -qxE "fsck: [0-9]+ passed, [0-9]+ failed" "$BUILD/fsck$suffix/log" ||
		echo "not ok fsck  broke off: $(tail -n 1 "$BUILD/fsck$suffix/log")" >>"$BUILD/fsck$suffix/results"
	report fsck "$BUILD/fsck$suffix/results"
fi
# The KUnit guest runs beside the end-to-end tests.  In the background it does
# not hear of an interrupt.
trap 'trap "" TERM; kill 0; exit 130' INT
if [ -n "$kunit" ]; then
	mkdir -p "$BUILD"
	"$SCRIPTS/kunit.sh" >"$BUILD/kunit$suffix.out" &
	export BESIDE=$!
fi
[ -z "$e2e" ] || "$SCRIPTS/e2e.sh" "$@" || true
if [ -n "$kunit" ]; then
	wait "$BESIDE" || true
	cat "$BUILD/kunit$suffix.out"
	report kunit "$BUILD/kunit$suffix/results"
fi
[ -z "$e2e" ] || report e2e "$BUILD/e2e$suffix/results"
finish
