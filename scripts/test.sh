#!/bin/bash
# make test: everything, and as the last line the count.
# Usage: [RUN=NAME] test.sh [kunit|TEST...]

. "$(dirname "$0")/common.sh"
kunit=1 e2e=1
if [ $# -gt 0 ]; then
	kunit='' e2e='' only=()
	for t; do
		case $t in
		kunit) kunit=1 ;;
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
step build.packages "$SCRIPTS/deps.sh" build tools qemu kernel e2e
step build.kernels kernels
# Set by eval in kernels().
step build.modules_stock env KVER="${STOCK_RELEASE:?}" KDIR= "$SCRIPTS/build-modules.sh"
step build.modules_test env KVER= KDIR="${TEST_KDIR:?}" "$SCRIPTS/build-modules.sh"
step build.tools make -s -C "$TOP" tools

if [ -n "$kunit" ]; then
	rm -f "$BUILD/kunit${RUN:+-$RUN}/results"
	"$SCRIPTS/kunit.sh" || true
	[ -s "$BUILD/kunit${RUN:+-$RUN}/results" ] || { mkdir -p "$BUILD/kunit${RUN:+-$RUN}"; echo "not ok kunit  no results" >"$BUILD/kunit${RUN:+-$RUN}/results"; }
	results+=("$BUILD/kunit${RUN:+-$RUN}/results")
fi
if [ -n "$e2e" ]; then
	rm -f "$BUILD/e2e${RUN:+-$RUN}/results"
	"$SCRIPTS/e2e.sh" "$@" || true
	[ -s "$BUILD/e2e${RUN:+-$RUN}/results" ] || { mkdir -p "$BUILD/e2e${RUN:+-$RUN}"; echo "not ok e2e  no results" >"$BUILD/e2e${RUN:+-$RUN}/results"; }
	results+=("$BUILD/e2e${RUN:+-$RUN}/results")
fi
finish
