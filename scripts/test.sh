#!/bin/bash
# make test, make soak: run all tests. The last line gives the counts.
# Usage: [K=SERIES] [RUN=NAME] [SUITE=FILTER] test.sh [-s] [kunit|kunit-7.3|fsck|fuzz|bench|mixed|debian|TEST...]
#
# K=SERIES  series of the kernels (6.12). Without K and without names, some of the
#     end-to-end tests run on 7.3 too
# -s  soak: repeat operations as often as README.md says. Without -s, the tests repeat
#     operations less often, to be quick. With -s and without names, run only the tests
#     that repeat operations.
# SUITE=FILTER  run only these KUnit suites or cases (see kunit.sh)

other=''
[ -n "${K:-}" ] || other=7.3
. "$(dirname "$0")/common.sh"
if [ "${1:-}" = -s ]; then
	shift
	[ $# -gt 0 ] || set -- cost crash hook fuzz fsx fio kunit-7.3 mixed debian
	export FUZZ_IMAGES=${FUZZ_IMAGES:-20000}
	export HOOK_ROUNDS=${HOOK_ROUNDS:-200} COST_CALLS=${COST_CALLS:-10000} CRASH_ROUNDS=${CRASH_ROUNDS:-50} \
		FSX_OPS=${FSX_OPS:-40000} FIO_MIB=${FIO_MIB:-16} PATIENCE=${PATIENCE:-5}
fi
kunit=1 kunit_other='' fsck=1 fuzz=1 bench=1 mixed='' debian='' e2e=1
# The expected times are those of 6.12.
[ "$K" = "$SERIES" ] || bench=''
if [ $# -gt 0 ]; then
	other=''
	kunit='' fsck='' fuzz='' bench='' e2e='' only=()
	for t; do
		case $t in
		kunit) kunit=1 ;;
		kunit-*) kunit_other=${t#kunit-} ;;
		fsck) fsck=1 ;;
		fuzz) fuzz=1 ;;
		bench) bench=1 ;;
		mixed) mixed=1 ;;
		debian) debian=1 ;;
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

# step NAME CMD...: run CMD. If CMD fails, it counts as a failed test, and the run ends.
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

# The KUnit suites on the test kernel of the series K
kunit_on_other() {
	local v
	v=$("$SCRIPTS/test-kernel.sh") && eval "$v" &&
		KVER='' KDIR=$TEST_KDIR "$SCRIPTS/build-modules.sh" &&
		"$SCRIPTS/kunit.sh" ${SUITE:+"$SUITE"}
}

# On 7.3 run the tests that show the path of an msync, and 100 states after a crash.
other_tests=(mount posix msync msync_hook hook atomic cost explore)

export MAKEFLAGS=
step build.packages "$SCRIPTS/deps.sh" build tools qemu kernel e2e conformance deb
step build.kernels kernels
# kernels() has set STOCK_RELEASE and TEST_KDIR.
step build.modules_stock env KVER="${STOCK_RELEASE:?}" KDIR= "$SCRIPTS/build-modules.sh"
[ -z "$other" ] || step "build.modules_$other" env K="$other" KVER= KDIR= "$SCRIPTS/build-modules.sh"
step build.modules_test env KVER= KDIR="${TEST_KDIR:?}" "$SCRIPTS/build-modules.sh"
step build.tools make -s -C "$TOP" tools

# report NAME FILE: count the results in FILE; an empty FILE is a failure.
report() {
	[ -s "$2" ] || { mkdir -p "${2%/*}"; echo "not ok $1  no results" >"$2"; }
	results+=("$2")
}

suffix=${RUN:+-$RUN}
floors=$BUILD/floors$suffix
if "$SCRIPTS/floors.py" "$BUILD/$STOCK_RELEASE/src" >"$floors.faults"; then
	echo "ok floors" >"$floors"
else
	sed 's/^/not ok floors  /' "$floors.faults" >"$floors"
fi
report floors "$floors"
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
if [ -n "$fuzz" ]; then
	say "damaged images"
	rm -f "$BUILD/fuzz$suffix/results"
	FUZZ_IMAGES=${FUZZ_IMAGES:-200} "$SCRIPTS/fuzz.sh" || true
	report fuzz "$BUILD/fuzz$suffix/results"
fi
if [ -n "$bench" ]; then
	say "times of msyncfs"
	rm -f "$BUILD/bench-check$suffix/results"
	UPDATE='' "$SCRIPTS/bench-check.sh" 1 64 append-1 wal-over >/dev/null || true
	report bench "$BUILD/bench-check$suffix/results"
fi
# The KUnit guest runs beside the end-to-end tests. A background process does not
# receive an interrupt from the terminal, so this trap ends the KUnit guest.
trap 'trap "" TERM; kill 0; exit 130' INT
if [ -n "$kunit" ]; then
	mkdir -p "$BUILD"
	"$SCRIPTS/kunit.sh" ${SUITE:+"$SUITE"} >"$BUILD/kunit$suffix.out" &
	export BESIDE=$!
fi
[ -z "$e2e" ] || "$SCRIPTS/e2e.sh" "$@" || true
if [ -n "$other" ]; then
	K=$other RUN=$other$suffix CRASH_STATES=100 "$SCRIPTS/e2e.sh" "${other_tests[@]}" || true
	sed -E "s/^((not )?ok )/\1$other./" "$BUILD/e2e-$other$suffix/results" >"$BUILD/e2e$suffix/results.$other" || true
fi
if [ -n "$kunit" ]; then
	wait "$BESIDE" || true
	cat "$BUILD/kunit$suffix.out"
	report kunit "$BUILD/kunit$suffix/results"
fi
[ -z "$e2e" ] || report e2e "$BUILD/e2e$suffix/results"
[ -z "$other" ] || report "e2e.$other" "$BUILD/e2e$suffix/results.$other"
if [ -n "$kunit_other" ]; then
	rm -f "$BUILD/kunit-$kunit_other$suffix/results"
	K=$kunit_other RUN=$kunit_other$suffix kunit_on_other || true
	sed -E -i "s/^((not )?ok )/\1$kunit_other./" "$BUILD/kunit-$kunit_other$suffix/results" || true
	report "kunit-$kunit_other" "$BUILD/kunit-$kunit_other$suffix/results"
fi
if [ -n "$mixed" ]; then
	rm -f "$BUILD/soak$suffix/results"
	"$SCRIPTS/soak.sh" || true
	report mixed "$BUILD/soak$suffix/results"
fi
if [ -n "$debian" ]; then
	rm -f "$BUILD/debian$suffix/results"
	"$SCRIPTS/debian.sh" || true
	report debian "$BUILD/debian$suffix/results"
fi
finish
